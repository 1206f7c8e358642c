"""Segments of one kind, sorted by what a map's selectors ask of them: ``OBX[3.1=goal,3.3=99SPA]``.

A map may ask a message thirty times for its OBX of some code. They are gone through once: for all
selectors that name values, by those values; for each other one (``OBX[2!=ED]``), into a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from adapter.plugin.formats import Match

Fields = list[Any]
Path = tuple[int, int]
Slot = tuple[Match, ...] | tuple[Path, ...]
Sorted = tuple[Any, ...]
Sorter = Callable[[Sequence[Fields], str, str], Sorted]


class Selectors:
    """What the selectors of a map ask of one kind of segment."""

    def __init__(self) -> None:
        self._slots: dict[Slot, int] = {}
        self._wanted: dict[Slot, set[str | tuple[str, ...]]] = {}

    def by_values(self, matches: Sequence[Match]) -> tuple[int, str | tuple[str, ...]]:
        """The number of the groups by these values, and the key of the group."""
        paths = tuple(full(match) for match in matches)
        values = tuple(match.values[0] for match in matches)
        key = values[0] if len(values) == 1 else values
        self._wanted.setdefault(paths, set()).add(key)
        return self._slots.setdefault(paths, len(self._slots)), key

    def by_conditions(self, matches: Sequence[Match]) -> int:
        """The number of the list of those that satisfy all conditions."""
        return self._slots.setdefault(tuple(matches), len(self._slots))

    def sorter(self) -> Sorter:
        """The function that goes through the segments; it gives every group and list by number."""
        wanted = tuple((slot, frozenset(found)) for slot, found in self._wanted.items())
        return _sorter(tuple(self._slots), wanted)


def full(match: Match) -> Path:
    """The path of a condition, with the component that it leaves unsaid."""
    field, *rest = (int(number) for number in match.path)
    return field, rest[0] if rest else 1


@cache
def _sorter(
    slots: tuple[Slot, ...], wanted: tuple[tuple[Slot, frozenset[str | tuple[str, ...]]], ...]
) -> Sorter:
    """Written out: it runs for every segment of every message."""
    names: dict[str, Any] = {}
    before: list[str] = []
    each: list[str] = []
    of_slot = dict(wanted)
    for number, slot in enumerate(slots):
        if slot in of_slot:
            names[f"wanted{number}"] = of_slot[slot]
            values = [_value(path) for path in slot]  # type: ignore[arg-type]
            before.append(f"s{number} = {{}}")
            each += [
                f"k = {values[0] if len(values) == 1 else '(' + ', '.join(values) + ')'}",
                f"if k in wanted{number}:",
                f"    if k in s{number}: s{number}[k].append(f)",
                f"    else: s{number}[k] = [f]",
            ]
        else:
            before.append(f"s{number} = []")
            each += [
                f"if {' and '.join(map(_test, slot)) or 'True'}:",  # type: ignore[arg-type]
                f"    s{number}.append(f)",
            ]
    paths = {
        part if isinstance(part, tuple) and not isinstance(part, Match) else full(part)
        for slot in slots
        for part in slot
    }
    lines = ["def sort(segments, cs, ss):", *(f"    {line}" for line in before)]
    lines += ["    for f in segments:"]
    lines += [f"        {line}" for line in (*_values_of(paths), *each)]
    lines += [f"    return ({''.join(f's{number}, ' for number in range(len(slots)))})"]
    exec("\n".join(lines), names)  # noqa: S102 - generated from numbers and checked selectors
    sorter: Sorter = names["sort"]
    return sorter


def _value(path: Path) -> str:
    return f"v{path[0]}_{path[1]}"


def _test(match: Match) -> str:
    value = _value(full(match))
    if len(match.values) == 1:
        return f"{value} {'!=' if match.negated else '=='} {match.values[0]!r}"
    return f"{value} {'not in' if match.negated else 'in'} {match.values!r}"


def _values_of(paths: set[Path]) -> list[str]:
    """Statements that take components out of the fields of the segment in `f`."""
    plan: dict[int, list[int]] = {}
    for field, component in sorted(paths):
        plan.setdefault(field, []).append(component)
    if not plan:
        return []
    raws = ", ".join(f"f{field}" for field in plan)
    lines = [
        "n = len(f)",
        f"if n > {max(plan)}: {raws} = {', '.join(f'f[{field}]' for field in plan)}",
        "else:",
        *(f"    f{field} = f[{field}] if n > {field} else ''" for field in plan),
    ]
    for field, components in plan.items():
        raw = f"f{field}"
        values = [_value((field, component)) for component in components]
        if components == [1]:
            lines.append(f"{values[0]} = {raw}.partition(cs)[0] if cs in {raw} else {raw}")
        else:
            lines += [f"p = {raw}.split(cs, {max(components)})", "m = len(p)"]
            for value, component in zip(values, components, strict=True):
                part = f"p[{component - 1}]"
                one = part if component == 1 else f"{part} if m >= {component} else ''"
                lines.append(f"{value} = {one}")
        lines.append(f"if ss in {raw}:")
        lines += [f"    {value} = {value}.partition(ss)[0]" for value in values]
    return lines


def sorters(asked: Mapping[str, Selectors]) -> dict[str, Sorter]:
    """The function of each kind of segment, by its name in emitted source."""
    return {f"sort_{name}": selectors.sorter() for name, selectors in asked.items()}
