"""Whether an answer is one of those offered: answerOption, answerValueSet, open choices.

Sources: FHIR R4 4.0.1 Questionnaire.item.answerOption and answerValueSet; ValueSet.compose and
expansion. Filters are not evaluated: an answer that only a filter could admit is "not known".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from adapter.fhir.questionnaire_answers import compare, same_coding
from adapter.fhir.questionnaire_form import Question

Resolver = Callable[[str], dict[str, Any] | None]
"""Gives the ValueSet (or CodeSystem) of a canonical url, or None when it is not at hand."""

DEEPEST = 10
"""ValueSets that include one another further than this are not followed."""


def no_value_sets(canonical: str) -> dict[str, Any] | None:
    """Resolve nothing: the default, for Questionnaires that list their options themselves."""
    return None


def offered(question: Question, kind: str, value: Any) -> bool:
    """Whether the value is one of the question's own answer options."""
    for option in question.options:
        if kind == "Coding" and option.kind == "Coding":
            if same_coding(value, option.value):
                return True
        elif compare(kind, value, option.kind, option.value) == 0:
            return True
    return False


def contained_first(questionnaire: Mapping[str, Any], resolve: Resolver) -> Resolver:
    """Return a resolver that finds `#id` in the Questionnaire's contained resources."""

    def found(canonical: str) -> dict[str, Any] | None:
        if not canonical.startswith("#"):
            return resolve(canonical)
        inside = _listed(questionnaire, "contained")
        return next((dict(r) for r in inside if r.get("id") == canonical[1:]), None)

    return found


def in_value_set(canonical: str, coding: Any, resolve: Resolver, depth: int = 0) -> bool | None:
    """Whether the Coding is in that ValueSet; None when that cannot be known here."""
    value_set = resolve(canonical) if depth < DEEPEST else None
    if value_set is None or value_set.get("resourceType") != "ValueSet":
        return None
    expansion = value_set.get("expansion")
    if isinstance(expansion, dict) and _listed(expansion, "contains"):
        return any(same_coding(coding, listed) for listed in _expanded(expansion))
    compose = value_set.get("compose")
    if not isinstance(compose, dict):
        return None
    excluded = _in_any(_listed(compose, "exclude"), coding, resolve, depth)
    if excluded:
        return False
    included = _in_any(_listed(compose, "include"), coding, resolve, depth)
    return None if included and excluded is None else included


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


def _in_any(
    parts: Sequence[Mapping[str, Any]], coding: Any, resolve: Resolver, depth: int
) -> bool | None:
    answer: bool | None = False
    for part in parts:
        found = _in_part(part, coding, resolve, depth)
        if found:
            return True
        if found is None:
            answer = None
    return answer


def _in_part(part: Mapping[str, Any], coding: Any, resolve: Resolver, depth: int) -> bool | None:
    """One include or exclude: all that it names must hold (R4 ValueSet, compose.include)."""
    canonicals = part.get("valueSet")
    known: list[bool | None] = [
        in_value_set(str(canonical), coding, resolve, depth + 1)
        for canonical in (canonicals if isinstance(canonicals, list) else ())
    ]
    if "system" in part:
        known.append(_in_system(part, coding, resolve))
    if any(found is False for found in known):
        return False
    return True if known and all(known) else None


def _in_system(
    part: Mapping[str, Any], coding: Mapping[str, Any], resolve: Resolver
) -> bool | None:
    if coding.get("system") != part["system"]:
        return False
    concepts = _listed(part, "concept")
    if concepts:
        return any(coding.get("code") == concept.get("code") for concept in concepts)
    if part.get("filter"):
        return None
    return _in_code_system(coding, resolve(str(part["system"])))


def _in_code_system(
    coding: Mapping[str, Any], code_system: Mapping[str, Any] | None
) -> bool | None:
    if code_system is None or code_system.get("content") != "complete":
        return None
    concepts = _listed(code_system, "concept")
    while concepts:
        concept = concepts.pop()
        if concept.get("code") == coding.get("code"):
            return True
        concepts.extend(_listed(concept, "concept"))
    return False
