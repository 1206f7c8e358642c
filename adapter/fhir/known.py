"""What definitions are at hand: profiles, value sets, code systems and questionnaires by canonical.

`shipped()` holds the dialects' profiles of `adapter/fhir/profiles`; a `Known` made from it can be
given more (`adapter validate --with`). A canonical may end in `|version`; without one, the last
definition given counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from adapter.fhir import definitions
from adapter.fhir.constraints import BadProfile, Profile, parse

Json = dict[str, Any]
KINDS = frozenset({"StructureDefinition", "ValueSet", "CodeSystem", "Questionnaire"})
Listing = dict[str, frozenset[str]] | None
Listed = dict[str, Listing]
# A value set made of more value sets than this, one in another, is a mistake or an attack.
MOST_SETS = 150


class Known:
    """Definitions by canonical, on top of others."""

    def __init__(self, below: Known | None = None) -> None:
        self._below = below
        self._resources: dict[tuple[str, str], Json] = {}
        self._profiles: dict[tuple[str, str], Profile] = {}
        self._forms: list[Json] = []
        self._codes: dict[str, Mapping[str, frozenset[str]] | None] = {}
        # What others made of these definitions; it goes when a definition comes.
        self.compiled: dict[str, Any] = {}

    def add(self, resource: Any) -> int:
        """Take in a definition, or those of a Bundle; returns how many. Raises BadProfile."""
        if type(resource) is not dict:
            return 0
        kind, url = resource.get("resourceType"), resource.get("url")
        if kind == "Bundle":
            entries = [one for one in resource.get("entry") or () if type(one) is dict]
            return sum(self.add(entry.get("resource")) for entry in entries)
        if kind == "Questionnaire":
            self._forms.append(resource)
        if kind not in KINDS or type(url) is not str:
            return int(kind == "Questionnaire")
        if kind == "StructureDefinition":
            profile = parse(resource)
            self._profiles[url, profile.version] = self._profiles[url, ""] = profile
        self._codes.clear()
        self.compiled.clear()
        self._resources[url, str(resource.get("version", ""))] = resource
        self._resources[url, ""] = resource
        return 1

    def add_questionnaires(self, bundle: Json) -> None:
        """Take in the Questionnaires and terminology that travel in a Bundle, not its profiles."""
        if bundle.get("resourceType") != "Bundle" or type(bundle.get("entry")) is not list:
            return
        for entry in bundle["entry"]:
            held = entry.get("resource") if type(entry) is dict else None
            if type(held) is dict and held.get("resourceType") != "StructureDefinition":
                self.add(held)

    def resource(self, canonical: str) -> Json | None:
        """Return a definition as it was given, or None."""
        url, _, version = canonical.partition("|")
        own = self._resources.get((url, version))
        return own or (self._below.resource(canonical) if self._below else None)

    def only_form(self, *, named: bool = True) -> Json | None:
        """Return the Questionnaire that was given, if it is one alone: what else could be meant?

        Not those of the definitions below; with `named` False only one that has no url.
        """
        if len(self._forms) != 1 or (not named and "url" in self._forms[0]):
            return None
        return self._forms[0]

    def profile(self, canonical: str) -> Profile | None:
        """Return a profile, or None when it is not at hand."""
        url, _, version = canonical.partition("|")
        own = self._profiles.get((url, version))
        return own or (self._below.profile(canonical) if self._below else None)

    def named(self, name: str) -> Profile | None:
        """Return the profile whose canonical ends in this name, the last one given, or None."""
        held = reversed(self._profiles.values())
        own = next((one for one in held if one.name == name), None)
        return own or (self._below.named(name) if self._below else None)

    def codes(self, value_set: str) -> Mapping[str, frozenset[str]] | None:
        """Return {system: codes} of a value set that what is at hand can list, or None."""
        url = value_set.partition("|")[0]
        if url not in self._codes:
            try:
                self._codes[url] = self._list(url, {})
            except (TypeError, AttributeError):  # not in the form of R4: nobody can list it
                self._codes[url] = None
        return self._codes[url]

    def _list(self, value_set: str, met: Listed) -> Listing:
        """List a value set; `met` holds those met so far, for one may be named often."""
        if value_set not in met:
            met[value_set] = None  # a set that includes itself cannot be listed
            met[value_set] = self._composed(value_set, met) if len(met) <= MOST_SETS else None
        return met[value_set]

    def _composed(self, value_set: str, met: Listed) -> Listing:
        held = self.resource(value_set)
        if held is None or held.get("resourceType") != "ValueSet":
            found = definitions.codes(value_set)
            return None if found is None else dict(found)
        expansion = (held.get("expansion") or {}).get("contains")
        if expansion:
            return _gather(
                (c.get("system", ""), c.get("code")) for c in _flat(expansion, "contains")
            )
        compose = held.get("compose") or {}
        if not compose.get("include"):
            return None
        total: dict[str, frozenset[str]] = {}
        for include in compose.get("include") or ():
            part = self._included(include, met)
            if part is None:
                return None
            for system, codes in part.items():
                total[system] = total.get(system, frozenset()) | codes
        for exclude in compose.get("exclude") or ():
            for system, codes in (self._included(exclude, met) or {}).items():
                total[system] = total.get(system, frozenset()) - codes
        return total

    def _included(self, include: Json, met: Listed) -> Listing:
        if include.get("filter"):
            return None
        parts = [self._list(str(one), met) for one in include.get("valueSet") or ()]
        if type(include.get("system")) is str:
            parts.append(self._of_system(include["system"], include))
        if not parts or None in parts:
            return None
        # R4: a code of an include is in its system and in all of its value sets.
        first, *others = (part for part in parts if part is not None)
        for other in others:
            first = {s: codes & other.get(s, frozenset()) for s, codes in first.items()}
        return first

    def _of_system(self, system: str, include: Json) -> Listing:
        if concepts := include.get("concept"):
            return _gather((system, one.get("code")) for one in concepts)
        held = self.resource(system)
        if held is None or held.get("content") != "complete":
            return None
        return _gather((system, one.get("code")) for one in _flat(held.get("concept"), "concept"))


def _flat(concepts: Any, below: str) -> Iterable[Json]:
    for one in concepts or ():
        if type(one) is dict:
            yield one
            yield from _flat(one.get(below), below)


def _gather(pairs: Iterable[tuple[str, Any]]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for system, code in pairs:
        if type(code) is str:
            found.setdefault(system, set()).add(code)
    return {system: frozenset(codes) for system, codes in found.items()}


@cache
def shipped() -> Known:
    """Return the definitions that come with the adapter."""
    known = Known()
    folder = files("adapter.fhir") / "profiles"
    for one in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if one.name.endswith(".json"):
            known.add(json.loads(one.read_bytes()))
    return known


__all__ = ["BadProfile", "Known", "shipped"]
