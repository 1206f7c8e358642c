"""What the mere set of properties of an object says: unknown, missing, two of one choice.

Both passes of the checks ask here, so that they cannot disagree. A `Place` is a type or one of its
backbone elements: (owner, path below it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from adapter.fhir import definitions
from adapter.fhir.definitions import ElementDefinition, definition, is_primitive, is_resource
from adapter.fhir.invariants import Invariant, rules_for
from adapter.fhir.invariants.datatypes import CODING
from adapter.fhir.invariants.rule import has_choice, present

Place = tuple[str, str]
# HAPI and the guides take these for absolute, as R4's pages say in prose.
ABSOLUTE_SYSTEMS = frozenset({"Identifier.system", "Coding.system"})


@dataclass(frozen=True, slots=True)
class Shape:
    """Everything about a place that does not depend on an instance."""

    owner: str
    below: str
    names: Mapping[str, ElementDefinition]
    required: tuple[ElementDefinition, ...]
    choices: tuple[ElementDefinition, ...]
    rules: tuple[Invariant, ...]
    resource: bool


EXTENSION_RULE = Invariant(
    "ext-1",
    "an extension has either a value or further extensions",
    lambda d: ("extension" in d) != has_choice(d, "value"),
)


# Rules that R4 states in prose, or for every element, rather than as an invariant of the type.
_OWN_RULES = {"Extension": (EXTENSION_RULE,), "Coding": CODING}


@cache
def shape(owner: str, below: str = "") -> Shape:
    """Return the shape of a type, or of its backbone element `below`."""
    whole = definition(owner)
    children = whole.children(below)
    keys = whole.elements[below].invariants if below else whole.invariants
    rules = rules_for(owner, keys)
    return Shape(
        owner=owner,
        below=below,
        names=definitions.json_names(owner, below),
        required=tuple(child for child in children if child.min),
        choices=tuple(child for child in children if child.choice),
        rules=rules + _OWN_RULES.get(owner, ()),
        resource=not below and is_resource(owner),
    )


def item_rules(found: ElementDefinition) -> tuple[Invariant, ...]:
    """Return the rules that an element, rather than its type, puts on each of its values."""
    if len(found.types) != 1 or is_primitive(found.types[0]) or not found.invariants:
        return ()
    if found.types[0] in {"BackboneElement", "Element"}:  # its own shape has them
        return ()
    wanted = {"sqty-1": "Quantity", "ras-1": "Range"}
    keys = [k for k in found.invariants if wanted.get(k, found.types[0]) == found.types[0]]
    return rules_for(found.path.partition(".")[0], keys)


def extension_url_holds(element: ElementDefinition, extension: Any) -> bool:
    """Whether an extension's url is absolute, or relative because it is nested in another."""
    url = extension.get("url")
    return element.path == "Extension.extension" or type(url) is not str or ":" in url


def sibling(key: str, names: Mapping[str, ElementDefinition]) -> ElementDefinition | None:
    """Return the primitive element whose `_name` this key is."""
    found = names.get(key[1:]) if key.startswith("_") else None
    return found if found is not None and is_primitive(found.types[0]) else None


def unknown(one: Shape, names: frozenset[str]) -> list[str]:
    """Return the properties that the place does not have."""
    return [
        name
        for name in names
        if name not in one.names
        and not (one.resource and name == "resourceType")
        and sibling(name, one.names) is None
    ]


def missing(one: Shape, names: frozenset[str]) -> list[ElementDefinition]:
    """Return the required elements that are not there."""
    return [child for child in one.required if not present(names, child.name)]


def doubled(one: Shape, names: frozenset[str]) -> list[ElementDefinition]:
    """Return the choice elements that are there more than once."""
    return [
        choice
        for choice in one.choices
        if len(
            {
                key
                for key in (name.removeprefix("_") for name in names)
                if key in one.names and one.names[key].path == choice.path
            }
        )
        > 1
    ]


def hollow(one: Shape, names: frozenset[str]) -> bool:
    """Whether there is nothing but an id (ele-1)."""
    return not one.resource and names <= {"id"}
