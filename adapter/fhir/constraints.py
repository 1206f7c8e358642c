"""A profile as a tree: what a StructureDefinition adds to its base type, element by element.

`parse` reads the differential, or the snapshot where there is none. What matters to an instance is
kept: cardinality, types and their profiles, fixed and pattern values, bounds, required bindings,
reference targets, slices and the ids of constraints. FHIRPath expressions are not evaluated;
constraints that R4 or we know by id are (`adapter.fhir.invariants`), and the others are named in
`Profile.unread`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from adapter.fhir.definitions import UnknownElement, UnknownType, element
from adapter.fhir.invariants import is_r4_rule
from adapter.fhir.invariants.profiles import PROFILE_RULES

Json = dict[str, Any]


class BadProfile(ValueError):  # noqa: N818 - named for what it says
    """A StructureDefinition that cannot be used; the message says where it goes wrong."""


@dataclass(slots=True)
class Slicing:
    """How the items of a repeating element are told apart: (kind, path) pairs, and the rules."""

    discriminators: tuple[tuple[str, str], ...] = ()
    closed: bool = False


@dataclass(slots=True)
class Constraint:
    """What a profile says of one element; `children` and `slices` are constraints in turn.

    `name` is the element's in the profile, `label` its name in an issue (`value` for `valueCode`).
    `targets` are canonicals of profiles or types that a Reference may name; `profiles` those that
    the value itself keeps to one of. `fixed` and `pattern` are None where the profile has none;
    `least` and `most` are (FHIR type name, value), `length` the most characters.
    """

    name: str
    label: str = ""
    min: int | None = None
    max: int | None = None
    types: frozenset[str] = frozenset()
    targets: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    fixed: Any = None
    pattern: Any = None
    least: tuple[str, Any] | None = None
    most: tuple[str, Any] | None = None
    length: int | None = None
    value_set: str | None = None
    keys: tuple[str, ...] = ()
    slicing: Slicing | None = None
    children: dict[str, Constraint] = field(default_factory=dict)
    slices: dict[str, Constraint] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile that resources can claim: its canonical, the R4 type it is of, and its tree.

    `unread` are the ids of its constraints that are FHIRPath only, and so not evaluated.
    """

    url: str
    version: str
    type: str
    base: str
    root: Constraint
    unread: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the canonical, for messages."""
        return self.url.rsplit("/", 1)[-1]


def parse(definition: Json) -> Profile:
    """Read a StructureDefinition of a resource or data type; raises BadProfile."""
    url, kind = definition.get("url"), definition.get("type")
    if type(url) is not str or type(kind) is not str:
        raise BadProfile("a StructureDefinition needs a url and a type")
    root = Constraint(kind)
    slices: dict[str, str] = {}
    rows = _rows(definition)
    try:
        for row in rows:
            _place(url, root, row, slices)
        unread = tuple(_unread(rows))
    except (TypeError, AttributeError) as error:
        raise BadProfile(f"{url}: its elements are not in the form of R4") from error
    return Profile(
        url,
        str(definition.get("version", "")),
        kind,
        str(definition.get("baseDefinition", "")),
        root,
        unread,
    )


def _rows(definition: Json) -> list[Json]:
    for part in ("differential", "snapshot"):
        rows = (definition.get(part) or {}).get("element")
        if rows:
            return [row for row in rows if type(row) is dict]
    return []


def _unread(rows: list[Json]) -> Iterator[str]:
    """Yield the id of each constraint that neither R4 nor the shipped profiles have."""
    seen: set[str] = set()
    for row in rows:
        for one in row.get("constraint") or ():
            key = str(one.get("key"))
            severe = one.get("severity") == "error"
            if severe and key not in seen and key not in PROFILE_RULES and not is_r4_rule(key):
                seen.add(key)
                yield key


def _place(url: str, root: Constraint, row: Json, slices: dict[str, str]) -> None:
    """Put one ElementDefinition where its path and slice names say."""
    path = row.get("path")
    if type(path) is not str or path.split(".")[0] != root.name:
        raise BadProfile(f"{url}: an element's path must start with {root.name}")
    steps = path.split(".")[1:]
    _known(url, path, bool(steps))
    named = row.get("sliceName")
    for known in [known for known in slices if known == path or known.startswith(f"{path}.")]:
        del slices[known]
    # `Observation.valueQuantity`, slice valueQuantity: a short way to write a type of a choice
    if type(named) is str and "/" not in named and steps[-1:] != [named]:
        slices[path] = named
    node, walked = root, root.name
    for step in steps:
        walked = f"{walked}.{step}"
        if step not in node.children:
            node.children[step] = Constraint(step, _label(walked))
        node = node.children[step]
        if (own := slices.get(walked)) is not None:
            node = node.slices.setdefault(own, Constraint(step, node.label))
    _fill(node, row)


def _label(path: str) -> str:
    with suppress(UnknownElement, UnknownType):  # below a choice or a resource: the instance tells
        path = element(path).path
    return path.rpartition(".")[2].removesuffix("[x]")


def _known(url: str, path: str, below: bool) -> None:
    if not below:
        return
    try:
        element(path)
    except UnknownElement as unknown:
        raise BadProfile(f"{url}: {unknown}") from None
    except UnknownType:
        return  # a path through a choice or a resource whose type only the instance tells


def _fill(node: Constraint, row: Json) -> None:
    if type(least := row.get("min")) is int:
        node.min = least
    if type(most := row.get("max")) is str and most.isdigit():
        node.max = int(most)
    types = [one for one in row.get("type") or () if type(one) is dict]
    if types:
        node.types = frozenset(str(one.get("code")) for one in types)
        node.targets = tuple(target for one in types for target in one.get("targetProfile") or ())
        node.profiles = tuple(str(profile) for one in types for profile in one.get("profile") or ())
        if node.types == {"Extension"} and len(node.profiles) == 1:
            url = node.children.setdefault("url", Constraint("url"))
            url.fixed = node.profiles[0].partition("|")[0]
    for name, value in row.items():
        if name.startswith("fixed"):
            node.fixed = value
        elif name.startswith("pattern"):
            node.pattern = value
        elif name.startswith("minValue"):
            node.least = _kind(name, "minValue"), value
        elif name.startswith("maxValue"):
            node.most = _kind(name, "maxValue"), value
    if type(length := row.get("maxLength")) is int:
        node.length = length
    binding = row.get("binding") or {}
    if binding.get("strength") == "required" and type(binding.get("valueSet")) is str:
        node.value_set = binding["valueSet"].split("|")[0]
    node.keys += tuple(str(one.get("key")) for one in row.get("constraint") or ())
    if type(slicing := row.get("slicing")) is dict:
        found = slicing.get("discriminator") or ()
        node.slicing = Slicing(
            tuple((str(one.get("type")), _from_item(str(one.get("path")))) for one in found),
            slicing.get("rules") == "closed",
        )


def _kind(name: str, stem: str) -> str:
    """Return the FHIR type in `minValueDate`; only Quantity has a capital."""
    kind = name.removeprefix(stem)
    return kind if kind == "Quantity" else kind[:1].lower() + kind[1:]


def _from_item(path: str) -> str:
    """Return a discriminator's path from the item itself: `$this.name` is `name`."""
    return path.removeprefix("$this.")


def matches(value: Any, pattern: Any) -> bool:
    """Whether a value holds all that a pattern holds (R4: ElementDefinition.pattern[x])."""
    if type(pattern) is dict:
        return type(value) is dict and all(
            name in value and matches(value[name], part) for name, part in pattern.items()
        )
    if type(pattern) is list:
        return type(value) is list and all(
            any(matches(one, part) for one in value) for part in pattern
        )
    return bool(value == pattern)
