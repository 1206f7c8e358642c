"""Whether the values of a segment are of the types, and as many, as its definition says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from adapter_hl7v2.encoding import NULL, Encoding
from adapter_hl7v2.segment import HEADERS, Segment
from adapter_hl7v2.structure.definitions import (
    FieldDefinition,
    component,
    components,
    segment_fields,
    table_codes,
)

_MOMENT = re.compile(r"(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.\d{1,6})?)?)?)?)?)?"
                     r"(?:[+-]\d{4})?")  # fmt: skip
_PATTERNS = {
    "NM": re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)"),
    "SI": re.compile(r"\d{1,6}"),
    "DT": re.compile(r"\d{4}(?:\d\d(?:\d\d)?)?"),
    "TM": re.compile(r"\d\d(?:\d\d(?:\d\d(?:\.\d{1,4})?)?)?(?:[+-]\d{4})?"),
    "DTM": _MOMENT,
    "TS": _MOMENT,
}
# Text in which a sender's own delimiters are common and harm nobody.
_FREE = frozenset({"varies", "TX", "FT", "ST"})
_TABLED = frozenset({"ID", "IS"})
_CODED = frozenset({"CE", "CWE", "CNE", "CF"})


class ValueFinding(NamedTuple):
    """One finding about a place in a segment, for example ``-3[2].4``; never the value itself."""

    severity: Literal["error", "warning"]
    place: str
    message: str


def check_values(
    version: str, segment: Segment, encoding: Encoding, *, also: frozenset[str] = frozenset()
) -> Iterator[ValueFinding]:
    """What is wrong with the fields of one segment, by the definitions of a version.

    Args:
        also: codes that are taken though no HL7 table suggests them.
    """
    definitions = {each.number: each for each in segment_fields(version, segment.id)}
    if not definitions:
        return
    checker = _Checker(version, encoding, also)
    for definition in definitions.values():
        if definition.required and not segment.field(definition.number):
            yield ValueFinding("error", f"-{definition.number}", f"{definition.name} is required")
    for number, raw in enumerate(segment.fields):
        if not raw or number == 0:
            continue
        found = definitions.get(number)
        if found is None:
            yield ValueFinding("warning", f"-{number}", f"version {version} has no such field")
        elif not (segment.id in HEADERS and number < 3):
            yield from checker.field(found, segment.repetitions(number))


@dataclass(frozen=True, slots=True)
class _Checker:
    version: str
    encoding: Encoding
    also: frozenset[str]

    def field(self, definition: FieldDefinition, repetitions: list[str]) -> Iterator[ValueFinding]:
        """All repetitions of one field."""
        place = f"-{definition.number}"
        if not definition.repeats and len(repetitions) > 1:
            free = definition.datatype in _FREE
            message = f"{definition.name} may not repeat"
            yield ValueFinding("warning" if free else "error", place, message)
        for rep, raw in enumerate(repetitions, 1):
            if raw and raw != NULL:
                where = f"{place}[{rep}]" if len(repetitions) > 1 else place
                yield from self.typed(definition, raw, where, self.encoding.component)

    def typed(
        self, definition: FieldDefinition, raw: str, place: str, separator: str
    ) -> Iterator[ValueFinding]:
        """A value with parts by its data type, a simple one by its pattern and table."""
        values = raw.split(separator)
        parts = components(self.version, definition.datatype)
        if not parts:
            if len(values) > 1 and definition.datatype not in _FREE:
                yield ValueFinding("warning", place, f"{definition.datatype} has no parts")
            yield from self.simple(definition, values[0], place)
            return
        if definition.datatype in _CODED:
            yield from self.code(definition, values[0], place, (values[2:3] or [""])[0])
        for part in parts:
            if part.required and not any(values[part.number - 1 : part.number]):
                message = f"{part.name} is required in {definition.datatype}"
                yield ValueFinding("warning", f"{place}.{part.number}", message)
        yield from self.parts(definition, values, place, separator)

    def parts(
        self, definition: FieldDefinition, values: list[str], place: str, separator: str
    ) -> Iterator[ValueFinding]:
        """The parts of a value, each by its own definition."""
        for number, value in enumerate(values, 1):
            if not value or value == NULL:
                continue
            part = component(self.version, definition.datatype, number)
            here = f"{place}.{number}"
            if part is None:
                message = f"{definition.datatype} of version {self.version} has no such component"
                yield ValueFinding("warning", here, message)
            elif separator == self.encoding.component:
                yield from self.typed(part, value, here, self.encoding.subcomponent)
            else:
                yield from self.simple(part, value, here)

    def simple(self, definition: FieldDefinition, value: str, place: str) -> Iterator[ValueFinding]:
        """A value without parts."""
        if not value or value == NULL:
            return
        if definition.datatype in _TABLED:
            yield from self.code(definition, value, place, "")
        pattern = _PATTERNS.get(definition.datatype)
        if pattern is None:
            return
        if pattern.fullmatch(value) is None or (pattern is _MOMENT and not _is_moment(value)):
            message = f"the value is not of data type {definition.datatype}"
            yield ValueFinding("error", place, message)

    def code(
        self, definition: FieldDefinition, code: str, place: str, system: str
    ) -> Iterator[ValueFinding]:
        """A code of an HL7 table, unless its sender names another coding system."""
        if definition.table is None or not code or code == NULL or code in self.also:
            return
        known = table_codes(definition.table)
        if known and system in ("", f"HL7{definition.table}") and code not in known:
            message = f"the code is not one that HL7 table {definition.table} suggests"
            yield ValueFinding("warning", place, message)


def _is_moment(value: str) -> bool:
    found = _MOMENT.fullmatch(value)
    if found is None:
        return False
    parts = [int(part) for part in found.groups() if part is not None]
    parts += [1] * (3 - len(parts))
    try:
        datetime(*parts)  # type: ignore[arg-type]  # noqa: DTZ001 - only whether there is such a day
    except ValueError:
        return False
    return True
