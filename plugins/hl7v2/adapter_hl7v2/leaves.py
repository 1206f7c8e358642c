"""Every value of a message once, with a path of its own: what a loss report counts.

A path names the segment and its occurrence, the field, and only as much more as the message itself
divides: ``NTE[3]-3``, ``PID[1]-5.1``, ``PID[1]-3[2].4.2``. MSH-1 and MSH-2 are not values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from adapter_hl7v2.encoding import Encoding
from adapter_hl7v2.segment import HEADERS, Segment


class Leaf(NamedTuple):
    """One non-empty value.

    Attributes:
        path: unique in its message; parts of it count from 1.
        raw: as it came, escapes and null included.
        segment: index in `Message.segments`.
        field, rep, comp, sub: where `Segment.part` finds it (rep counts from 0).
    """

    path: str
    raw: str
    segment: int
    field: int
    rep: int
    comp: int
    sub: int


def leaves(segments: list[Segment], encoding: Encoding) -> Iterator[Leaf]:
    """The leaves of segments, in order."""
    divided = re.compile("[" + re.escape(encoding.characters[:4]) + "]").search
    seen: dict[str, int] = {}
    for index, segment in enumerate(segments):
        name = segment.id
        seen[name] = seen.get(name, 0) + 1
        prefix = f"{name}[{seen[name]}]-"
        for number, raw in enumerate(segment.fields):
            if not raw or (number < 3 and (number == 0 or name in HEADERS)):
                continue
            path = f"{prefix}{number}"
            if divided(raw):
                yield from _divided(path, raw, index, number, encoding)
            else:
                yield Leaf(path, raw, index, number, 0, 1, 1)


def _divided(path: str, raw: str, index: int, number: int, encoding: Encoding) -> Iterator[Leaf]:
    repetitions = raw.split(encoding.repetition)
    for rep, repetition in enumerate(repetitions):
        if not repetition:
            continue
        rep_path = f"{path}[{rep + 1}]" if len(repetitions) > 1 else path
        components = repetition.split(encoding.component)
        for comp, component in enumerate(components, 1):
            if not component:
                continue
            comp_path = f"{rep_path}.{comp}" if len(components) > 1 else rep_path
            if encoding.subcomponent not in component:
                yield Leaf(comp_path, component, index, number, rep, comp, 1)
                continue
            for sub, value in enumerate(component.split(encoding.subcomponent), 1):
                if value:
                    yield Leaf(f"{comp_path}.{sub}", value, index, number, rep, comp, sub)
