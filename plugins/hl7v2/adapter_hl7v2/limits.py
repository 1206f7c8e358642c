"""How large a message may be. Counted before it is built, in linear time."""

from __future__ import annotations

from dataclasses import dataclass

from adapter_hl7v2.errors import ReadError

_FEW = 256


@dataclass(frozen=True, slots=True)
class Limits:
    """The caps on one message.

    Attributes:
        size: bytes, without framing.
        segments: segment terminators.
        elements: fields, repetitions, components and subcomponents together, empty ones too. A
            megabyte of separators is a million of them, and costs what a million values cost.
    """

    size: int = 10 * 1024 * 1024
    segments: int = 20_000
    elements: int = 500_000

    def check_size(self, data: bytes) -> None:
        """Refuse more bytes than allowed.

        Raises:
            ReadError: ``too-large``.
        """
        if len(data) > self.size:
            raise ReadError(
                "too-large",
                f"the message has {len(data):,} bytes; at most {self.size:,} are taken",
                fix="send large documents by reference, or raise max_bytes for this site",
                condition="207",
            )

    def check_elements(self, data: bytes, delimiters: bytes) -> None:
        """Refuse more elements than allowed; `delimiters` are the message's own.

        A terminator counts, too, so that what passes can be split into lines without fear.

        Raises:
            ReadError: ``too-many-elements``.
        """
        # A message cannot hold more elements than bytes: most need no counting at all.
        if len(data) <= self.elements:
            return
        elements = _count(data, b"\r\n" + delimiters)
        if elements > self.elements:
            raise ReadError(
                "too-many-elements",
                f"the message has {elements:,} elements; at most {self.elements:,} are taken",
                fix="the sender repeats separators or values without end; correct it there, or"
                " raise max_elements for this site",
                condition="207",
            )

    def check_lines(self, lines: int) -> None:
        """Refuse more segments than allowed, empty lines among them.

        Raises:
            ReadError: ``too-many-segments``.
        """
        if lines > self.segments:
            raise ReadError(
                "too-many-segments",
                f"the message has {lines:,} segments; at most {self.segments:,} are taken",
                fix="split the message, or raise max_segments for this site",
                condition="207",
            )


def _count(data: bytes, marks: bytes) -> int:
    """How often any of these bytes occurs: found one by one while they are few, which is fastest;
    else by what is left without them, in one pass for all."""
    found = 0
    for mark in marks:
        at = data.find(mark)
        while at >= 0:
            found += 1
            if found > _FEW:
                return len(data) - len(data.translate(None, marks))
            at = data.find(mark, at + 1)
    return found


LIMITS = Limits()
