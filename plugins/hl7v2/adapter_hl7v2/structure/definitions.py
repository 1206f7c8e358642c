"""Look up a field, a component, a structure or a table of HL7 v2, 2.3 to 2.9.

The facts are in the JSON files beside this module, written by scripts/build_hl7_definitions.py from
the tables of hl7apy (MIT). They hold the segments of the referral, order, result, appointment and
acknowledgement messages. No lengths: the source has none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

VERSIONS = (
    "2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.7.1", "2.8", "2.8.1", "2.8.2", "2.9",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """One field of a segment, or one component of a data type.

    Attributes:
        owner: the segment or the data type.
        datatype: for example ``CX``; ``varies`` where another field names it (OBX-5).
        least: 1 if it is required, else 0.
        most: how often it may repeat; -1 without limit. Components never repeat.
        table: the number of its HL7 table, for example ``0283``, or None.
    """

    owner: str
    number: int
    name: str
    datatype: str
    least: int
    most: int
    table: str | None

    @property
    def required(self) -> bool:
        """True if the standard marks it R."""
        return self.least > 0

    @property
    def repeats(self) -> bool:
        """True if it may stand more than once."""
        return self.most != 1


@dataclass(frozen=True, slots=True)
class StructureNode:
    """A segment or a group in a message structure; a segment has no children."""

    name: str
    least: int
    most: int
    children: tuple[StructureNode, ...] = ()

    @property
    def is_group(self) -> bool:
        """True for a group of segments."""
        return bool(self.children)


def segment_fields(version: str, segment: str) -> tuple[FieldDefinition, ...]:
    """The fields of a segment in order, none if the version or the segment is not known.

    Numbers may have gaps: withdrawn fields are left out.
    """
    return _definitions("segments", version, segment)


def segment_field(version: str, segment: str, number: int) -> FieldDefinition | None:
    """One field, or None if this version does not have it.

    >>> segment_field("2.5.1", "PID", 5).datatype, segment_field("2.5.1", "RF1", 12)
    ('XPN', None)
    """
    return _by_number("segments", version, segment).get(number)


def components(version: str, datatype: str) -> tuple[FieldDefinition, ...]:
    """The components of a data type in order, none if it is a simple one."""
    return _definitions("datatypes", version, datatype)


def component(version: str, datatype: str, number: int) -> FieldDefinition | None:
    """One component, or None. A simple data type is its own first component.

    >>> component("2.6", "CX", 4).datatype, component("2.6", "ST", 1).datatype
    ('HD', 'ST')
    """
    if number == 1 and not components(version, datatype):
        return FieldDefinition(datatype, 1, datatype, datatype, 0, 1, None)
    return _by_number("datatypes", version, datatype).get(number)


@cache
def message_structure(version: str, name: str) -> StructureNode | None:
    """A message structure, for example ``REF_I12``, or None."""
    nodes = _find("messages", version, name)
    return None if nodes is None else StructureNode(name, 1, 1, tuple(map(_node, nodes)))


@cache
def table_codes(number: str) -> frozenset[str]:
    """The codes that HL7 suggests for a table; empty if we do not hold the table."""
    entry = _read("tables").get(number)
    return frozenset(entry["codes"]) if entry else frozenset()


def _node(row: list[Any]) -> StructureNode:
    return StructureNode(row[0], row[1], row[2], tuple(map(_node, row[3:] and row[3])))


@cache
def _definitions(kind: str, version: str, name: str) -> tuple[FieldDefinition, ...]:
    return tuple(FieldDefinition(name, *row) for row in _find(kind, version, name) or ())


@cache
def _by_number(kind: str, version: str, name: str) -> dict[int, FieldDefinition]:
    return {definition.number: definition for definition in _definitions(kind, version, name)}


def _find(kind: str, version: str, name: str) -> list[Any] | None:
    for versions, definition in _read(kind).get(name, ()):
        if version in versions:
            found: list[Any] = definition
            return found
    return None


@cache
def _read(kind: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(files(__package__).joinpath(f"{kind}.json").read_bytes())
    return content
