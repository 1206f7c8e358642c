"""How large a message may be. Counted before anything is built from it, in linear time."""

from __future__ import annotations

from dataclasses import dataclass

from adapter_hl7v2.errors import ReadError

_FEW = 1000


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

    def check_counts(self, data: bytes, delimiters: bytes) -> None:
        """Refuse more segments or elements than allowed; `delimiters` are the message's own.

        Raises:
            ReadError: ``too-many-segments`` or ``too-many-elements``.
        """
        # A message cannot hold more elements than bytes: most need no counting at all.
        if len(data) <= self.segments:
            return
        lines = max(_count(data, b"\r"), _count(data, b"\n"))
        if lines > self.segments:
            raise ReadError(
                "too-many-segments",
                f"the message has {lines:,} segments; at most {self.segments:,} are taken",
                fix="split the message, or raise max_segments for this site",
                condition="207",
            )
        if len(data) <= self.elements:
            return
        elements = lines + sum(_count(data, delimiters[i : i + 1]) for i in range(len(delimiters)))
        if elements > self.elements:
            raise ReadError(
                "too-many-elements",
                f"the message has {elements:,} elements; at most {self.elements:,} are taken",
                fix="the sender repeats separators or values without end; correct it there, or"
                " raise max_elements for this site",
                condition="207",
            )


def _count(data: bytes, byte: bytes) -> int:
    """How often a byte occurs. Finding is far faster than counting where there are few."""
    at = -1
    for found in range(_FEW):
        at = data.find(byte, at + 1)
        if at < 0:
            return found
    return data.count(byte)


LIMITS = Limits()
