"""What HL7 v2 says of the places that mapping paths name, version by version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from adapter.plugin.formats import Element, PathError, Step
from adapter_hl7v2.er7 import NUMBERED
from adapter_hl7v2.structure.definitions import (
    VERSIONS,
    FieldDefinition,
    StructureNode,
    component,
    components,
    message_structure,
    segment_field,
    segment_fields,
)


def versions_of(text: str) -> tuple[str, ...]:
    """The versions that ``2.5.1`` or ``2.3-2.9`` names; all of them for an empty text.

    Raises:
        PathError: ``version-unknown``.
    """
    first, dash, last = text.partition("-")
    if not text:
        return VERSIONS
    if first not in VERSIONS or (dash and last not in VERSIONS):
        raise PathError(
            f"{text} is no HL7 v2 version",
            fix=f"write one of {', '.join(VERSIONS)}, or two of them with a dash",
            code="version-unknown",
        )
    start, end = VERSIONS.index(first), VERSIONS.index(last if dash else first) + 1
    if end <= start:
        fix = "write the older version first"
        raise PathError(f"{text} names no version", fix=fix, code="version-unknown")
    return VERSIONS[start:end]


class Places:
    """The definitions that one map is checked against; a place of any of its versions exists."""

    def __init__(self, side: Mapping[str, Any]) -> None:
        self.versions = versions_of(str(side.get("version", "")))
        self.structure = str(side.get("structure", ""))
        self.also = frozenset(side.get("also", ()))
        self.structures = self._structures()
        if self.structure and not self.structures:
            raise PathError(
                f"{self.structure} is no message structure of any version",
                fix="write a structure such as REF_I12, or leave it out",
                code="structure-unknown",
            )

    def _structures(self) -> list[StructureNode]:
        """The structure in the map's versions; in any, for a map that takes it before its time."""
        for versions in (self.versions, VERSIONS):
            if found := [s for v in versions if (s := message_structure(v, self.structure))]:
                return found
        return []

    def element(self, steps: tuple[Step, ...]) -> Element:
        """The field, component or subcomponent at an absolute path.

        Raises:
            PathError: ``unknown-path``.
        """
        segment = ""
        fields: list[FieldDefinition] = []
        for step in steps:
            if step.kind in ("seg", "kid"):
                segment = str(step.key)
                self._segment(segment)
                for match in step.match:
                    self._parts(segment, tuple(int(number) for number in match.path))
            elif segment.startswith("Z"):
                return Element()
            elif step.kind == "field":
                fields = self._field(segment, int(step.key or 0))
            elif step.kind in ("comp", "sub"):
                fields = self._component(fields, int(step.key or 0))
            elif step.kind == "reps" and not any(each.repeats for each in fields):
                raise PathError(
                    f"{segment}-{fields[0].number} does not repeat",
                    fix="write a row instead of a loop",
                    code="list-needs-index",
                )
        if not fields:
            return Element()
        kinds = tuple(sorted({each.datatype for each in fields}))
        return Element(
            kinds if "varies" not in kinds else (), False, any(f.required for f in fields)
        )

    def _segment(self, name: str) -> None:
        if name.startswith("Z"):
            return
        if not any(segment_fields(version, name) for version in self.versions):
            raise PathError(f"there is no segment {name}", fix="name a segment of the message")
        if self.structure and name not in self.also and not self._placed(name):
            raise PathError(
                f"{name} is not in {self.structure}",
                fix="leave the row out, or name left.structure",
            )

    def _placed(self, name: str) -> bool:
        return any(name in _names(structure) for structure in self.structures)

    def _parts(self, segment: str, path: tuple[int, ...]) -> None:
        if segment.startswith("Z"):
            return
        fields = self._field(segment, path[0])
        for number in path[1:]:
            fields = self._component(fields, number)

    def _field(self, segment: str, number: int) -> list[FieldDefinition]:
        found = [f for v in self.versions if (f := segment_field(v, segment, number))]
        if not found:
            most = max(
                (f.number for v in self.versions for f in segment_fields(v, segment)), default=0
            )
            raise PathError(
                f"{segment} has no field {number} in {self._said()}",
                fix=f"its fields are 1 to {most}",
            )
        return found

    def _component(self, fields: list[FieldDefinition], number: int) -> list[FieldDefinition]:
        if any(each.datatype == "varies" for each in fields):
            return []
        found = []
        for version in self.versions:
            for kind in {each.datatype for each in fields}:
                part = component(version, kind, number)
                if part is not None:
                    found.append(part)
        if not found and fields:
            kind = fields[0].datatype
            count = len(components(self.versions[-1], kind)) or 1
            raise PathError(
                f"{kind} has no component {number} in {self._said()}",
                fix=f"it has {count}",
            )
        return found

    def _said(self) -> str:
        one = len(self.versions) == 1
        return f"version {self.versions[0]}" if one else "any of its versions"

    def required(self, paths: Sequence[tuple[Step, ...]]) -> Sequence[str]:
        """Required fields of the segments that are written, and required segments, not written."""
        version = self.versions[0] if len(self.versions) == 1 else "2.5.1"
        written: dict[str, set[int]] = {}
        for steps in paths:
            segment = ""
            for step in steps:
                if step.kind in ("seg", "kid"):
                    segment = str(step.key)
                    numbers = {int(m.path[0]) for m in step.match if not m.negated}
                    written.setdefault(segment, set()).update(numbers)
                elif step.kind == "field":
                    written[segment].add(int(step.key or 0))
        missing = [
            f"{segment}-{field.number}"
            for segment, numbers in written.items()
            for field in segment_fields(version, segment)
            if field.required
            and field.number not in numbers
            and not _automatic(segment, field.number)
        ]
        structure = message_structure(version, self.structure)
        nodes = structure.children if structure else ()
        groups = [n.name for n in nodes if n.least and not _names(n) & written.keys()]
        return [*missing, *groups]


def _automatic(segment: str, number: int) -> bool:
    return (segment == "MSH" and number in (1, 2)) or (number == 1 and segment in NUMBERED)


@cache
def _names(node: StructureNode) -> frozenset[str]:
    if not node.is_group:
        return frozenset({node.name})
    return frozenset().union(*(_names(child) for child in node.children))
