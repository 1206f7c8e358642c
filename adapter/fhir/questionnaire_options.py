"""Whether an answer is one of those offered: answerOption, answerValueSet, open choices.

Sources: FHIR R4 4.0.1 Questionnaire.item.answerOption and answerValueSet; ValueSet.compose and
expansion. Filters are not evaluated: an answer that only a filter could admit is "not known".

Forms, value sets and answers may all come from a stranger, in one Bundle. So each is read once into
sets, and an answer costs the same however many options there are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.fhir.questionnaire_answers import identity, kinds_for
from adapter.fhir.questionnaire_form import Option, Question

Resolver = Callable[[str], dict[str, Any] | None]
"""Gives the ValueSet (or CodeSystem) of a canonical url, or None when it is not at hand."""

DEEPEST = 10
"""ValueSets that include one another further than this are not followed."""


def no_value_sets(canonical: str) -> dict[str, Any] | None:
    """Resolve nothing: the default, for Questionnaires that list their options themselves."""
    return None


@dataclass(frozen=True, slots=True)
class Codings:
    """Codings that are listed, by what tells them apart (`same_coding`)."""

    pairs: frozenset[tuple[Any, Any]]
    codes: frozenset[Any]
    displays: frozenset[Any]

    def hold(self, coding: Any) -> bool:
        """Whether a Coding means the same as one of those listed; displays do not count.

        A listed Coding without a system matches by its code alone; one without a code by display.
        """
        if not isinstance(coding, dict):
            return False
        code, system, display = (_plain(coding.get(n)) for n in ("code", "system", "display"))
        if "code" not in coding:
            return display in self.displays
        return (system, code) in self.pairs or code in self.codes


def codings_of(listed: Iterable[Any]) -> Codings:
    """Read Codings (or the entries of an expansion) into sets."""
    pairs, codes, displays = set(), set(), set()
    for one in listed:
        if not isinstance(one, dict):
            continue
        if "code" not in one:
            displays.add(_plain(one.get("display")))
        elif "system" in one:
            pairs.add((_plain(one["system"]), _plain(one["code"])))
        else:
            codes.add(_plain(one["code"]))
    return Codings(frozenset(pairs), frozenset(codes), frozenset(displays))


def _plain(value: Any) -> Hashable:
    """Return a text, or for anything else what no text equals."""
    return value if isinstance(value, str) else None if value is None else _NO_TEXT


_NO_TEXT = object()


@dataclass(frozen=True, slots=True)
class Offer:
    """What one question offers as answers."""

    codings: Codings
    values: frozenset[Hashable]

    def holds(self, kind: str, value: Any) -> bool:
        """Whether that value, of a FHIR type, is offered."""
        return (
            self.codings.hold(value) if kind == "Coding" else identity(kind, value) in self.values
        )


def offer_of(options: Iterable[Option]) -> Offer:
    """Read answer options into sets."""
    listed = list(options)
    codings = codings_of(one.value for one in listed if one.kind == "Coding")
    others = (identity(one.kind, one.value) for one in listed if one.kind != "Coding")
    return Offer(codings, frozenset(one for one in others if one is not None))


@dataclass(slots=True)
class Offers:
    """The offers of a form's questions, each read when it is first asked about."""

    _kinds: dict[str, frozenset[str]] = field(default_factory=dict)
    _all: dict[str, Offer] = field(default_factory=dict)
    _alone: dict[str, Offer] = field(default_factory=dict)

    def kinds(self, question: Question) -> frozenset[str]:
        """Return the types that answers of the question may have."""
        found = self._kinds.get(question.link_id)
        if found is None:
            found = self._kinds[question.link_id] = kinds_for(question)
        return found

    def of(self, question: Question) -> Offer:
        """Return all that the question offers."""
        return self._kept(self._all, question, question.options)

    def alone(self, question: Question) -> Offer:
        """Return those of its options that exclude all others."""
        return self._kept(self._alone, question, [o for o in question.options if o.exclusive])

    def _kept(self, kept: dict[str, Offer], question: Question, options: Iterable[Option]) -> Offer:
        found = kept.get(question.link_id)
        if found is None:
            found = kept[question.link_id] = offer_of(options)
        return found


def contained_first(questionnaire: Mapping[str, Any], resolve: Resolver) -> Resolver:
    """Return a resolver that finds `#id` in the Questionnaire's contained resources."""

    def found(canonical: str) -> dict[str, Any] | None:
        if not canonical.startswith("#"):
            return resolve(canonical)
        inside = _listed(questionnaire, "contained")
        return next((dict(r) for r in inside if r.get("id") == canonical[1:]), None)

    return found


@dataclass(frozen=True, slots=True)
class _Part:
    """One include or exclude: `codes` of its system, None when only a filter or a server knows."""

    sets: tuple[str, ...]
    system: str | None
    codes: frozenset[Any] | None


@dataclass(frozen=True, slots=True)
class _Set:
    """A ValueSet read into sets: by its expansion, or by what it includes and excludes."""

    expansion: Codings | None = None
    include: tuple[_Part, ...] = ()
    exclude: tuple[_Part, ...] = ()


@dataclass(slots=True)
class ValueSets:
    """Answers "is this Coding in that ValueSet?", reading each definition once."""

    resolve: Resolver
    _sets: dict[str, _Set | None] = field(default_factory=dict)
    _systems: dict[str, frozenset[Any] | None] = field(default_factory=dict)

    def hold(self, canonical: str, coding: Any) -> bool | None:
        """Whether the Coding is in the ValueSet; None when that cannot be known here."""
        return self._in(canonical, coding, {}, 0)

    def _in(
        self, canonical: str, coding: Any, met: dict[str, bool | None], depth: int
    ) -> bool | None:
        if canonical in met:
            return met[canonical]
        met[canonical] = None  # a set that includes itself says nothing about the Coding
        if canonical not in self._sets:
            self._sets[canonical] = self._read(canonical)
        one = self._sets[canonical] if depth < DEEPEST else None
        if one is not None:
            met[canonical] = self._within(one, coding, met, depth)
        return met[canonical]

    def _within(
        self, one: _Set, coding: Any, met: dict[str, bool | None], depth: int
    ) -> bool | None:
        if one.expansion is not None:
            return one.expansion.hold(coding)
        excluded = self._any(one.exclude, coding, met, depth)
        if excluded:
            return False
        included = self._any(one.include, coding, met, depth)
        return None if included and excluded is None else included

    def _any(
        self, parts: Iterable[_Part], coding: Any, met: dict[str, bool | None], depth: int
    ) -> bool | None:
        answer: bool | None = False
        for part in parts:
            known = [self._in(one, coding, met, depth + 1) for one in part.sets]
            if part.system is not None:
                known.append(_in_system(part, coding))
            if False in known:
                continue
            if known and None not in known:
                return True
            answer = None
        return answer

    def _read(self, canonical: str) -> _Set | None:
        value_set = self.resolve(canonical)
        if value_set is None or value_set.get("resourceType") != "ValueSet":
            return None
        expansion = value_set.get("expansion")
        if isinstance(expansion, dict) and _listed(expansion, "contains"):
            return _Set(codings_of(_expanded(expansion)))
        compose = value_set.get("compose")
        if not isinstance(compose, dict):
            return None
        parts = [
            tuple(self._part(one) for one in _listed(compose, n)) for n in ("include", "exclude")
        ]
        return _Set(None, *parts)

    def _part(self, part: Mapping[str, Any]) -> _Part:
        """Read one include or exclude: all that it names must hold (R4 ValueSet, compose)."""
        canonicals = part.get("valueSet")
        sets = tuple(str(one) for one in (canonicals if isinstance(canonicals, list) else ()))
        if "system" not in part:
            return _Part(sets, None, None)
        system = str(part["system"])
        if concepts := _listed(part, "concept"):
            return _Part(sets, system, frozenset(_plain(one.get("code")) for one in concepts))
        return _Part(sets, system, None if part.get("filter") else self._codes(system))

    def _codes(self, system: str) -> frozenset[Any] | None:
        if system not in self._systems:
            held = self.resolve(system)
            whole = held is not None and held.get("content") == "complete"
            self._systems[system] = frozenset(_concepts(held)) if held and whole else None
        return self._systems[system]


def in_value_set(canonical: str, coding: Any, resolve: Resolver) -> bool | None:
    """Whether one Coding is in that ValueSet; None when that cannot be known here."""
    return ValueSets(resolve).hold(canonical, coding)


def _in_system(part: _Part, coding: Any) -> bool | None:
    if not isinstance(coding, dict) or coding.get("system") != part.system:
        return False
    return None if part.codes is None else _plain(coding.get("code")) in part.codes


def _listed(element: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    raw = element.get(name)
    return [part for part in raw if isinstance(part, dict)] if isinstance(raw, list) else []


def _expanded(expansion: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    entries = _listed(expansion, "contains")
    while entries:
        entry = entries.pop()
        if entry.get("abstract") is not True and "code" in entry:
            yield entry
        entries.extend(_listed(entry, "contains"))


def _concepts(code_system: Mapping[str, Any]) -> Iterator[Hashable]:
    concepts = _listed(code_system, "concept")
    while concepts:
        concept = concepts.pop()
        yield _plain(concept.get("code"))
        concepts.extend(_listed(concept, "concept"))
