"""What FHIR R4 (4.0.1) says about each type and element: facts read from data, type by type.

Use it like this:

    >>> element("Patient.name.family").types
    ('string',)
    >>> element("Task.input.valueReference").types
    ('Reference',)
    >>> element("Observation.value[x]").choice
    True

Paths are dotted JSON names that start with a type: a resource (`Task.status`), a data type
(`HumanName.given`), or any depth through them (`Task.restriction.period.start`). A choice element
goes by its concrete name (`Observation.valueQuantity`) or, for all its types at once, by
`Observation.value[x]`. Content references are followed (`Questionnaire.item.item.linkId`), as are
`extension`, `id` and the `_name` sibling of a primitive. Repetition indexes are no part of a path.

`element` raises `UnknownElement`, whose message names the nearest elements that do exist. Answers
are cached: asking twice costs a dictionary lookup. A type's file is read when it is first met.

Source: HL7 FHIR R4 4.0.1, CC0; see SOURCE.md beside this file.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

__all__ = [
    "Binding",
    "ElementDefinition",
    "TypeDefinition",
    "UnknownElement",
    "UnknownType",
    "codes",
    "data_types",
    "definition",
    "element",
    "is_primitive",
    "is_resource",
    "resource_types",
    "system_codes",
]


class UnknownType(LookupError):  # noqa: N818 - named for what it says
    """No R4 type has this name."""


class UnknownElement(LookupError):  # noqa: N818 - named for what it says
    """No R4 element has this path; the message says where it broke and what exists there."""

    def __init__(self, path: str, at: str, name: str, known: tuple[str, ...]) -> None:
        near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:8]
        super().__init__(f"{path}: {at} has no element '{name}'; it has {', '.join(near)}")
        self.path = path
        self.known = known


@dataclass(frozen=True, slots=True)
class Binding:
    """A tie to a value set. `limit` is the set that no code may leave (maxValueSet), if any."""

    strength: str
    value_set: str
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class ElementDefinition:
    """One element as R4 defines it.

    `path` is the definition's path (`Observation.value[x]`), `name` the JSON property asked for
    (`valueQuantity`). `max` is None where R4 says `*`. `targets` are the resource types that a
    Reference may name, `canonicals` those that a canonical may name; empty means any.
    `content` is the path whose children this element borrows. `least`, `most` and `length` are
    limits on a value.
    """

    path: str
    name: str
    types: tuple[str, ...]
    min: int = 0
    max: int | None = 1
    binding: Binding | None = None
    targets: tuple[str, ...] = ()
    canonicals: tuple[str, ...] = ()
    content: str | None = None
    invariants: tuple[str, ...] = ()
    choice: bool = False
    least: int | None = None
    most: int | None = None
    length: int | None = None

    @property
    def repeats(self) -> bool:
        """Whether JSON writes this element as an array."""
        return self.max is None or self.max > 1


@dataclass(frozen=True, slots=True)
class TypeDefinition:
    """A resource, data type or primitive.

    `elements` maps paths below the type (`input.value[x]`) to their definitions, in R4's order.
    """

    name: str
    kind: str
    base: str
    abstract: bool
    regex: str | None
    invariants: tuple[str, ...]
    elements: Mapping[str, ElementDefinition]

    def children(self, under: str = "") -> tuple[ElementDefinition, ...]:
        """Return the direct children of the type, or of its backbone element `under`."""
        prefix = f"{under}." if under else ""
        start = len(prefix)
        return tuple(
            found
            for path, found in self.elements.items()
            if path.startswith(prefix) and "." not in path[start:]
        )

    def has_children(self, under: str) -> bool:
        """Whether `under` is a backbone element: one whose children are defined in place."""
        return any(path.startswith(f"{under}.") for path in self.elements)


def _read(name: str) -> Any:
    return json.loads(files(__name__).joinpath("r4", name).read_bytes())


@cache
def _index() -> dict[str, Any]:
    index: dict[str, Any] = _read("index.json")
    return index


@cache
def _kinds() -> dict[str, str]:
    return {name: kind for kind in ("resource", "complex", "primitive") for name in _index()[kind]}


@cache
def resource_types() -> frozenset[str]:
    """Return the names of the concrete R4 resource types."""
    return frozenset(_index()["resource"]) - {"Resource", "DomainResource"}


@cache
def data_types() -> frozenset[str]:
    """Return the names of the R4 data types, complex and primitive."""
    return frozenset(_index()["complex"]) | frozenset(_index()["primitive"])


def is_primitive(name: str) -> bool:
    """Whether `name` is a primitive data type such as `code`."""
    return _kinds().get(name) == "primitive"


def is_resource(name: str) -> bool:
    """Whether `name` is a resource type, abstract ones included."""
    return _kinds().get(name) == "resource"


@cache
def definition(name: str) -> TypeDefinition:
    """Return the definition of one type; raises UnknownType."""
    if name not in _kinds():
        raise UnknownType(f"'{name}' is not a FHIR R4 type")
    raw = _read(f"{name}.json")
    elements = {path: _element(name, path, facts) for path, facts in raw["elements"].items()}
    return TypeDefinition(
        name=name,
        kind=raw["kind"],
        base=raw["base"],
        abstract=raw.get("abstract", False),
        regex=raw.get("regex"),
        invariants=tuple(raw.get("invariants", ())),
        elements=MappingProxyType(elements),
    )


def _element(owner: str, path: str, facts: dict[str, Any]) -> ElementDefinition:
    maximum = facts.get("max", 1)
    bound = facts.get("binding")
    return ElementDefinition(
        path=f"{owner}.{path}",
        name=path.rsplit(".", 1)[-1],
        types=tuple(facts.get("types", ())),
        min=facts.get("min", 0),
        max=None if maximum == "*" else maximum,
        binding=Binding(bound[0], bound[1], facts.get("max_binding")) if bound else None,
        targets=tuple(facts.get("targets", ())),
        canonicals=tuple(facts.get("canonicals", ())),
        content=facts.get("content"),
        invariants=tuple(facts.get("invariants", ())),
        choice=path.endswith("[x]"),
        least=facts.get("least"),
        most=facts.get("most"),
        length=facts.get("length"),
    )


def concrete_name(choice: str, type_name: str) -> str:
    """Return the JSON name of a choice: ("value[x]", "dateTime") gives "valueDateTime"."""
    return choice.removesuffix("[x]") + type_name[:1].upper() + type_name[1:]


@cache
def json_names(type_name: str, under: str = "") -> Mapping[str, ElementDefinition]:
    """Map each JSON property of a type (or of its backbone `under`) to its definition.

    A choice appears under each concrete name, with that one type; `_name` siblings are left out.
    """
    names: dict[str, ElementDefinition] = {}
    for child in definition(type_name).children(under):
        if not child.choice:
            names[child.name] = child
            continue
        for one in child.types:
            name = concrete_name(child.name, one)
            names[name] = replace(child, name=name, types=(one,))
    return MappingProxyType(names)


def place(found: ElementDefinition) -> tuple[str, str]:
    """Return where an element's children are defined: (type, path below it).

    A backbone element has them in place, a content reference elsewhere in its type, any other at
    the root of its data type. Raises UnknownType for a choice that names no type yet.
    """
    owner, _, below = found.path.partition(".")
    if found.content is not None:
        owner, _, below = found.content.partition(".")
        return owner, below
    if found.types[0] in {"BackboneElement", "Element"} and definition(owner).has_children(below):
        return owner, below
    if len(found.types) != 1:
        raise UnknownType(f"{found.path} has several types: name one of them")
    return found.types[0], ""


@lru_cache(maxsize=65536)
def element(path: str) -> ElementDefinition:
    """Return the element at a dotted path; raises UnknownElement or UnknownType."""
    owner, *names = path.split(".")
    definition(owner)
    if not names:
        raise UnknownElement(path, owner, "", tuple(json_names(owner)))
    below, walked, found = "", owner, None
    for name in names:
        if found is not None:
            owner, below = place(found)
        found = _child(path, owner, below, walked, name)
        walked = f"{walked}.{name}"
    assert found is not None
    return found


def _child(path: str, owner: str, below: str, walked: str, name: str) -> ElementDefinition:
    known = json_names(owner, below)
    if (found := known.get(name)) is not None:
        return found
    if name.endswith("[x]"):
        choice = definition(owner).elements.get(f"{below}.{name}" if below else name)
        if choice is not None:
            return choice
    plain = known.get(name[1:]) if name.startswith("_") else None
    if plain is not None and is_primitive(plain.types[0]):
        return replace(plain, name=name, types=("Element",), binding=None, min=0, targets=())
    raise UnknownElement(path, walked, name, tuple(known))


@cache
def _value_sets() -> dict[str, dict[str, list[str]]]:
    sets: dict[str, dict[str, list[str]]] = _read("value-sets.json")
    return sets


@cache
def codes(value_set: str) -> Mapping[str, frozenset[str]] | None:
    """Return {system: codes} of a required value set, or None where it cannot be listed."""
    found = _value_sets().get(value_set.split("|")[0])
    if found is None:
        return None
    return MappingProxyType({system: frozenset(listed) for system, listed in found.items()})


@cache
def _code_systems() -> dict[str, list[str]]:
    systems: dict[str, list[str]] = _read("code-systems.json")
    return systems


@cache
def system_codes(system: str) -> frozenset[str] | None:
    """Return the codes of a code system that R4 publishes whole, or None for any other."""
    found = _code_systems().get(system)
    return None if found is None else frozenset(found)
