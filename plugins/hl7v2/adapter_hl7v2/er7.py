"""What the source of a compiled HL7 v2 map calls: the index of a message, its parts, and joining.

An indexed segment is its list of raw fields; position 0 holds the segments that follow it in its
group (by id), and nothing if it leads none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple

from adapter_hl7v2.message import Message
from adapter_hl7v2.segment import HEADERS, segment_id

Fields = list[Any]
NUMBERED = frozenset(
    {"PID", "NK1", "GT1", "IN1", "DG1", "DRG", "AL1", "PR1", "OBR", "OBX", "NTE", "PV1"}
)
"""Segments whose first field is their position (SI); it is written from the order."""


class Groups(NamedTuple):
    """`heads` lead a group; `under` says which heads a segment may follow."""

    heads: frozenset[str]
    under: Mapping[str, frozenset[str]]


class Kids(dict[str, list[Fields]]):
    """The followers of a segment, with its position in the message (for tracing)."""

    at: int = -1


def index(message: Message, groups: Groups, trace: bool) -> dict[str, list[Fields]]:
    """The segments of a message by id, in order, followers under their heads."""
    root: dict[str, list[Fields]] = {}
    heads, under = groups
    separator = message.encoding.field
    opened: list[tuple[str, Fields]] = []
    for number, raw in enumerate(message.raws()):
        fields: Fields = raw.split(separator)
        name = fields[0]
        if len(name) != 3 or not name.isalnum() or len(fields) < 2:
            name = segment_id(raw)
        if name in HEADERS:
            fields.insert(1, separator)
        into = root
        if opened:
            if name in under:
                wanted = under[name]
                while opened and opened[-1][0] not in wanted:
                    opened.pop()
                if opened:
                    into = opened[-1][1][0]
            else:
                opened.clear()
        if trace:
            kids = Kids()
            kids.at = number
            fields[0] = kids
        if name in heads:
            if not trace:
                fields[0] = {}
            opened.append((name, fields))
        found = into.get(name)
        if found is None:
            into[name] = [fields]
        else:
            found.append(fields)
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


Facets = list[tuple[tuple[str, ...], Fields]]
Plan = tuple[tuple[int, tuple[int, ...]], ...]


@cache
def facets_of(plan: Plan) -> Callable[[Sequence[Fields], str, str], Facets]:
    """The function that takes some components, counted from 0, of some fields out of segments.

    It gives each segment with their values, and is written out for its plan: selectors ask every
    segment of a message.
    """
    lines = ["def facets(segments, cs, ss):", "    found = []", "    for f in segments:"]
    lines.append("        n = len(f)")
    values = []
    for number, components in plan:
        raw = f"f{number}"
        lines.append(f"        {raw} = f[{number}] if n > {number} else ''")
        plain = [f"v{number}_{component}" for component in components]
        values += plain
        if components == (0,):
            lines.append(f"        {plain[0]} = {raw}.partition(cs)[0] if cs in {raw} else {raw}")
        else:
            lines.append(f"        p = {raw}.split(cs, {max(components) + 1})")
            lines.append("        m = len(p)")
            for component, name in zip(components, plain, strict=True):
                lines.append(f"        {name} = p[{component}] if m > {component} else ''")
        lines.append(f"        if ss in {raw}:")
        lines += [f"            {name} = {name}.partition(ss)[0]" for name in plain]
    taken = f"({', '.join(values)},)" if values else "()"
    lines.append(f"        found.append(({taken}, f))")
    lines.append("    return found")
    namespace: dict[str, Any] = {}
    exec("\n".join(lines), namespace)  # noqa: S102 - generated from numbers only
    function: Callable[[Sequence[Fields], str, str], Facets] = namespace["facets"]
    return function


def grouped(found: Facets, numbers: Sequence[int]) -> dict[Any, list[Fields]]:
    """Segments by one value (or by several) of those that facets took out of them."""
    groups: dict[Any, list[Fields]] = {}
    value_of = itemgetter(*numbers)
    for values, fields in found:
        value = value_of(values)
        if value in groups:
            groups[value].append(fields)
        else:
            groups[value] = [fields]
    return groups


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


def comps(parts: Mapping[int, str], mark: str = "^") -> str:
    """Components (or subcomponents) by number, joined."""
    if len(parts) == 1 and 1 in parts:
        return parts[1]
    texts = [""] * max(parts)
    for number, text in parts.items():
        texts[number - 1] = text
    return mark.join(texts)


def reps(repetitions: Sequence[str]) -> str:
    """Repetitions, joined."""
    return repetitions[0] if len(repetitions) == 1 else "~".join(repetitions)


def fill(raw: str | None, parts: Sequence[tuple[int, str]]) -> str:
    """A field with these components set where it has none."""
    found = dict(enumerate(raw.split("^"), 1)) if raw else {}
    for number, value in parts:
        if not found.get(number):
            found[number] = value
    return comps(found)


Written = tuple[str, dict[int, str], Any]


def build(out: list[Written], rank: Mapping[str, int], env: Any, trace: bool) -> Message:
    """The message of collected segments: ordered by structure, numbered, joined."""
    last = len(rank)
    out.sort(key=lambda entry: rank.get(entry[0], last))
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
    for name, fields, kids in entries:
        if name in NUMBERED and 1 not in fields:
            numbers[name] = numbers.get(name, 0) + 1
            fields[1] = str(numbers[name])
        texts = [""] * (max(fields, default=0) + 1)
        for number, text in fields.items():
            texts[number] = text
        texts[0] = name
        if name == "MSH":
            texts[1:3] = [encoding.characters]
        lines.append("|".join(texts))
        if env is not None:
            env.placed.append((fields, name))
        if kids:
            _append(kids, lines, encoding, {}, env)
