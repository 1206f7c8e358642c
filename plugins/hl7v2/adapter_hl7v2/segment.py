"""One segment: fields by number, split when they are asked for, and written so that no value can
break out of its place.

Positions are HL7's own: fields, components and subcomponents count from 1, repetitions from 0.
"""

from __future__ import annotations

from adapter_hl7v2.encoding import ABSENT, NULL, Encoding
from adapter_hl7v2.errors import WriteError

HEADERS = frozenset({"MSH", "FHS", "BHS"})
UNREADABLE = "?"  # the id of a line that is no segment; its first field is what stands first


class Segment:
    """A segment of a message, in the order and with the id that it came with.

    `id` is ``?`` for a line that has no segment id (a broken line is kept, and can be reported).
    """

    __slots__ = ("_encoding", "_fields", "_raw", "id")

    def __init__(self, raw: str, encoding: Encoding) -> None:
        self._raw: str | None = raw
        self._fields: list[str] | None = None
        self._encoding = encoding
        name = raw[:3]
        self.id = name if name.isalnum() and raw.find(encoding.field) == 3 else segment_id(raw)

    @property
    def raw(self) -> str:
        """The segment as it stands in the message, without its terminator."""
        if self._raw is None:
            fields = self.fields
            if self.id in HEADERS:
                self._raw = fields[0] + fields[1] + self._encoding.field.join(fields[2:])
            else:
                self._raw = self._encoding.field.join(fields)
        return self._raw

    @property
    def fields(self) -> list[str]:
        """The raw fields; ``fields[n]`` is field n and ``fields[0]`` the id. Not to be changed."""
        if self._fields is None:
            separator = self._encoding.field
            fields = (self._raw or "").split(separator)
            if self.id in HEADERS:
                fields.insert(1, separator)
            elif self.id == UNREADABLE:
                fields.insert(0, UNREADABLE)
            self._fields = fields
        return self._fields

    def field(self, number: int) -> str:
        """The raw field with all its repetitions, empty if it is not there."""
        fields = self._fields or self.fields
        return fields[number] if number < len(fields) else ""

    def repetitions(self, number: int) -> list[str]:
        """The raw repetitions of a field, none if it is empty."""
        raw = self.field(number)
        if not raw:
            return []
        if self._is_delimiters(number):
            return [raw]
        return raw.split(self._encoding.repetition)

    def components(self, number: int, rep: int = 0) -> list[str]:
        """The raw components of one repetition, none if it is empty."""
        repetitions = self.repetitions(number)
        if rep >= len(repetitions) or not repetitions[rep]:
            return []
        if self._is_delimiters(number):
            return repetitions
        return repetitions[rep].split(self._encoding.component)

    def part(self, number: int, rep: int = 0, comp: int = 1, sub: int = 1) -> str:
        """One raw value, escapes and null as they came; empty if it is not there."""
        fields = self._fields or self.fields
        raw = fields[number] if number < len(fields) else ""
        if not raw or self._is_delimiters(number):
            return raw if rep == 0 and comp == 1 and sub == 1 else ""
        encoding = self._encoding
        raw = _nth(raw, encoding.repetition, rep)
        raw = _nth(raw, encoding.component, comp - 1)
        return _nth(raw, encoding.subcomponent, sub - 1)

    def get(self, number: int, rep: int = 0, comp: int = 1, sub: int = 1) -> str | None:
        """One value as text, escapes decoded; None if it is empty, absent, or HL7's null.

        A value that has no finer parts is its own first component and subcomponent, so that a
        receiver of an older version reads what a newer one wrote (chapter 2, version rules).
        """
        raw = self.part(number, rep, comp, sub)
        if not raw or raw == NULL:
            return None
        return self._encoding.unescape(raw)

    def text(self, number: int, rep: int = 0) -> str | None:
        """One repetition read as text, delimiters in it taken as the sender's own characters."""
        repetitions = self.repetitions(number)
        if rep >= len(repetitions) or repetitions[rep] in ("", NULL):
            return None
        return self._encoding.unescape(repetitions[rep])

    def is_null(self, number: int, rep: int = 0, comp: int = 1, sub: int = 1) -> bool:
        """True if the sender said 'delete what you have' (two double quotes)."""
        return self.part(number, rep, comp, sub) == NULL

    def set(
        self, number: int, value: str | None, rep: int = 0, comp: int = 1, sub: int = 1
    ) -> Segment:
        """Write one value, escaped; None or empty text clears it. Returns the segment.

        Raises:
            WriteError: ``no-such-place``, for MSH-1 and MSH-2 or a position below the first.
        """
        self._put(number, self._encoding.quote(value) if value else "", rep, comp, sub)
        return self

    def set_null(self, number: int, rep: int = 0, comp: int = 1, sub: int = 1) -> Segment:
        """Write HL7's null: the receiver is to delete what it has."""
        self._put(number, NULL, rep, comp, sub)
        return self

    def set_raw(self, number: int, raw: str) -> None:
        """Write a whole field as it stood in another segment of the same encoding."""
        self._check_place(number, 0, 1, 1)
        self._store(number, raw)

    def set_field(self, number: int, *values: str | None, rep: int = 0) -> Segment:
        """Write one repetition from the texts of its components."""
        quote = self._encoding.quote
        written = [quote(value) if value else "" for value in values]
        while written and not written[-1]:
            written.pop()
        self._write(number, rep, self._encoding.component.join(written))
        return self

    def _put(self, number: int, raw: str, rep: int, comp: int, sub: int) -> None:
        self._check_place(number, rep, comp, sub)
        encoding = self._encoding
        field = self.field(number)
        if raw and rep == 0 and sub == 1 and encoding.repetition not in field:
            # Values mostly come in order: what is new stands behind what is there.
            missing = comp - 1 - field.count(encoding.component)
            if not field or missing > 0:
                self._store(number, field + encoding.component * missing + raw)
                return
        old = _nth(field, encoding.repetition, rep)
        inner = _nth(old, encoding.component, comp - 1)
        inner = _replaced(inner, encoding.subcomponent, sub - 1, raw)
        self._write(number, rep, _replaced(old, encoding.component, comp - 1, inner))

    def _write(self, number: int, rep: int, raw: str) -> None:
        self._check_place(number, rep, 1, 1)
        field = self.field(number)
        if rep or self._encoding.repetition in field:
            raw = _replaced(field, self._encoding.repetition, rep, raw)
        self._store(number, raw)

    def _store(self, number: int, raw: str) -> None:
        fields = self.fields
        if number >= len(fields):
            fields.extend([""] * (number + 1 - len(fields)))
        fields[number] = raw
        while len(fields) > 1 and not fields[-1]:
            fields.pop()
        self._raw = None

    def _check_place(self, number: int, rep: int, comp: int, sub: int) -> None:
        if number < 1 or rep < 0 or comp < 1 or sub < 1 or self._is_delimiters(number):
            raise WriteError(
                "no-such-place",
                f"{self.id}-{number} cannot be written",
                fix="count fields and components from 1; MSH-1 and MSH-2 belong to the message",
            )

    def _is_delimiters(self, number: int) -> bool:
        return number < 3 and self.id in HEADERS

    def __repr__(self) -> str:
        return f"<Segment {self.id}>"


def segment_id(raw: str) -> str:
    """The id of a line without fields: the line itself, if it could be one."""
    could = len(raw) == 3 and raw.isascii() and raw.isalnum() and raw.isupper()
    return raw if could else UNREADABLE


def _nth(raw: str, separator: str, index: int) -> str:
    if separator in raw:
        parts = raw.split(separator)
        return parts[index] if index < len(parts) else ""
    return "" if index else raw


def _replaced(raw: str, separator: str, index: int, part: str) -> str:
    """`raw` with its part at `index` replaced, without empty parts at its end."""
    if separator == ABSENT:
        if index:
            raise WriteError(
                "no-such-place",
                "this message declares no delimiter for such a part",
                fix="declare all four encoding characters in MSH-2",
            )
        return part
    parts = raw.split(separator)
    if index >= len(parts):
        parts.extend([""] * (index + 1 - len(parts)))
    parts[index] = part
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return separator.join(parts)
