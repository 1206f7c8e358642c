"""What the source of a compiled HL7 v2 map calls: the index of a message, its parts, and joining.

An indexed segment is its list of raw fields; position 0 holds the segments that follow it in its
group (by id), and nothing if it leads none. A field that says HL7's null is empty there: there is
nothing to read in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from adapter_hl7v2.encoding import NULL
from adapter_hl7v2.message import Message
from adapter_hl7v2.segment import HEADERS, segment_id

Fields = list[Any]
NUMBERED = frozenset(
    {"PID", "NK1", "GT1", "IN1", "DG1", "DRG", "AL1", "PR1", "OBR", "OBX", "NTE", "PV1"}
)
"""Segments whose first field is their position (SI); it is written from the order."""


class Role(NamedTuple):
    """What a segment of a group is: whether it leads one, and which heads it may follow."""

    head: bool
    under: frozenset[str]


class Groups(NamedTuple):
    """The roles of segments by id, and the ids that need no look: no header, well-formed."""

    roles: Mapping[str, Role]
    known: frozenset[str]


def groups_of(groups: Mapping[str, Sequence[str]], known: Iterable[str]) -> Groups:
    """Groups, given the followers of each head; `known` are ids of the standard."""
    names = {*groups, *(kid for kids in groups.values() for kid in kids)}
    roles = {
        name: Role(name in groups, frozenset(head for head, kids in groups.items() if name in kids))
        for name in names
    }
    return Groups(roles, frozenset(known) - HEADERS)


class Kids(dict[str, list[Fields]]):
    """The followers of a segment, with its position in the message (for tracing)."""

    at: int = -1


_NO_KIDS: dict[str, list[Fields]] = {}  # of a segment that leads a group and has no follower


def index(message: Message, groups: Groups, trace: bool) -> dict[str, list[Fields]]:
    """The segments of a message by id, in order, followers under their heads."""
    root: dict[str, list[Fields]] = {}
    roles, known = groups
    separator = message.encoding.field
    opened: list[tuple[str, Fields]] = []
    for number, raw in enumerate(message.raws()):
        fields: Fields = raw.split(separator)
        name = fields[0]
        if name not in known:
            if len(name) != 3 or not name.isalnum() or len(fields) < 2:
                name = segment_id(raw)
            if name in HEADERS:
                fields.insert(1, separator)
        if NULL in raw and NULL in fields:
            fields = ["" if field == NULL else field for field in fields]
        into = root
        if trace:
            fields[0] = Kids()
            fields[0].at = number
        if name not in roles:
            opened = []
        else:
            head, under = roles[name]
            while opened:
                above, leader = opened[-1]
                if above in under:
                    into = leader[0]
                    if into is _NO_KIDS:
                        into = leader[0] = {}
                    break
                opened.pop()
            if head:
                if not trace:
                    fields[0] = _NO_KIDS
                opened.append((name, fields))
        if name in into:
            into[name].append(fields)
        else:
            into[name] = [fields]
    return root


def part(fields: Fields, path: Sequence[int], cs: str, ss: str) -> str:
    """The raw part at (field, component, subcomponent) of a segment."""
    number = path[0]
    raw: str = fields[number] if len(fields) > number else ""
    if not raw:
        return raw
    if len(path) == 1:
        return raw.partition(cs)[0].partition(ss)[0]
    return within(raw, path[1:], cs, ss)


def within(raw: str, path: Sequence[int], cs: str, ss: str) -> str:
    """The raw part at (component, subcomponent) of one repetition."""
    parts = raw.split(cs)
    raw = parts[path[0] - 1] if len(parts) >= path[0] else ""
    if ss in raw:
        subs = raw.split(ss)
        number = path[1] if len(path) > 1 else 1
        return subs[number - 1] if len(subs) >= number else ""
    return raw if len(path) < 2 or path[1] == 1 else ""


def inner(raw: str, where: Sequence[int]) -> str:
    """The part at (component, subcomponent) of a repetition, or (subcomponent) of a component."""
    for number, mark in _levels(where):
        parts = raw.split(mark)
        raw = parts[number - 1] if len(parts) >= number else ""
    return raw


def emptied(raw: str, where: Sequence[int]) -> str:
    """A repetition (or component) with nothing at a place."""
    if not where:
        return ""
    (number, mark), *_ = _levels(where)
    parts = raw.split(mark)
    if len(parts) >= number:
        parts[number - 1] = emptied(parts[number - 1], where[1:])
    return mark.join(parts)


def _levels(where: Sequence[int]) -> list[tuple[int, str]]:
    return list(zip(where, "^&"[2 - len(where) :], strict=True))


def rep_of(field: str, repetition: str, rs: str) -> int:
    """Which repetition of a field this is, from 0."""
    return field.split(rs).index(repetition)


def fill(raw: str, parts: Sequence[tuple[int, str]]) -> str:
    """A field with these components set where it has none."""
    found = raw.split("^")
    for number, value in parts:
        if number > len(found):
            found.extend([""] * (number - len(found)))
        if not found[number - 1]:
            found[number - 1] = value
    return "^".join(found)


Written = tuple[int, str, list[str] | str, Any]
"""A segment to be written: its place in the order of the structure, its id, its raw fields by
number (0 is free), its followers.

A text instead of fields is all that follows the number of a numbered segment without followers.
"""


_order = itemgetter(0)


def build(out: list[Written], env: Any, trace: bool) -> Message:
    """The message of collected segments: ordered by structure, numbered, joined."""
    out.sort(key=_order)
    lines: list[str] = []
    _append(out, lines, env.encoding, {}, env if trace else None)
    return Message.of(lines, env.encoding)


def _append(
    entries: Sequence[Written],
    lines: list[str],
    encoding: Any,
    numbers: dict[str, int],
    env: Any,
) -> None:
    for _, name, fields, kids in entries:
        if isinstance(fields, str):
            numbers[name] = count = numbers.get(name, 0) + 1
            lines.append(f"{name}|{count}|{fields}")
            continue
        fields[0] = name
        if name in NUMBERED:
            if not fields[1]:
                numbers[name] = count = numbers.get(name, 0) + 1
                fields[1] = str(count)
        elif name == "MSH":
            fields[1:3] = [encoding.characters]
        lines.append("|".join(fields).rstrip("|"))
        if env is not None:
            env.placed.append((fields, name))
        if kids:
            _append(kids, lines, encoding, {}, env)
