"""To which slice of a profile does an item belong? R4's discriminators, answered from JSON alone.

Source: R4 profiling, discriminator types value, exists, pattern, type and profile
(https://hl7.org/fhir/R4/profiling.html#discriminator). A path through `resolve()` can only be
answered as far as the reference's own words tell the type of its target; what cannot be answered is
None, and such a slice is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapter.fhir.constraints import Constraint, matches
from adapter.fhir.definitions import concrete_name
from adapter.fhir.known import Known
from adapter.fhir.links import named_type
from adapter.fhir.profile_tests import target_types

Keeps = Callable[[Any, str], bool | None]
"""Whether a value keeps to the profile of that canonical; None when it is not at hand."""


@dataclass(frozen=True, slots=True)
class Slices:
    """Answers which slices an item is in; `bound` says whether a code is in a value set."""

    known: Known
    bound: Callable[[Any, str], bool]
    keeps: Keeps

    def belongs(self, key: str, item: Any, one: Constraint, by: tuple[tuple[str, str], ...]) -> Any:
        """Return whether the item (of JSON name `key`) is of a slice; None when none can tell."""
        answers = [self._told(key, item, one, kind, path) for kind, path in by]
        if False in answers:
            return False
        return True if True in answers else None

    def _told(self, key: str, item: Any, one: Constraint, kind: str, path: str) -> bool | None:
        """Answer one discriminator."""
        if "resolve()" in path:
            return self._target(item, one, path) if kind == "type" else None
        wanted, value = one, item
        for step in () if path == "$this" else path.split("."):
            name = next((n for n in wanted.children if n.removesuffix("[x]") == step), step)
            wanted = wanted.children.get(name, Constraint(step))
            key, value = held(value, wanted) if type(value) is dict else ("", None)
            if value is None:
                return kind == "exists" and wanted.max == 0
        if kind == "type":
            return self._of_type(key, value, wanted)
        if kind == "profile":
            answers = [self.keeps(value, canonical) for canonical in wanted.profiles]
            return True if True in answers else None if None in answers or not answers else False
        return wanted.max != 0 if kind == "exists" else self._like(value, wanted)

    def _target(self, item: Any, one: Constraint, path: str) -> bool | None:
        link = item.get("reference") if type(item) is dict and path == "resolve()" else None
        kind = named_type(link) if type(link) is str else None
        wanted = target_types(one.targets, self.known)
        return None if kind is None or wanted is None else kind in wanted

    def _of_type(self, key: str, value: Any, wanted: Constraint) -> bool:
        """Whether a value is of one of the wanted types: a choice by its name, else a resource."""
        if not wanted.types:
            return True
        if wanted.name.endswith("[x]"):
            return key in {concrete_name(wanted.name, one) for one in wanted.types}
        named = value.get("resourceType") if type(value) is dict else None
        return named is None or named in wanted.types or "Resource" in wanted.types

    def _like(self, value: Any, wanted: Constraint) -> bool:
        values = value if type(value) is list else [value]
        if wanted.fixed is not None:
            return wanted.fixed in values or wanted.fixed == value
        if wanted.pattern is not None:
            return any(matches(one, wanted.pattern) for one in values)
        if wanted.value_set:
            listed = self.known.codes(wanted.value_set)
            return listed is not None and any(self.bound(one, wanted.value_set) for one in values)
        if wanted.children:
            return all(
                self._like(held(value, child)[1], child)
                for child in wanted.children.values()
                if child.fixed is not None or child.pattern is not None
            )
        return True


def held(node: Any, constraint: Constraint) -> tuple[str, Any]:
    """Return (JSON name, value) of a child: for a choice, whichever type it has."""
    name = constraint.name
    if not name.endswith("[x]"):
        return name, node.get(name)
    stem = name[:-3]
    for key, value in node.items():
        if key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper():
            return key, value
    first = next(iter(constraint.types), "")
    return concrete_name(name, first), None
