"""Which rows write which place, and which of them are in each other's way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapter.mapping.bound import BoundBlock, BoundMap, BoundRow, Condition, Path
from adapter.mapping.table import Const, Fault, Lost


def writers(bound: BoundMap, to_right: bool) -> Iterator[Fault]:
    """Two rows that write one place, and fallbacks that nothing leaves room for."""
    seen: dict[tuple[Any, ...], BoundRow] = {}
    always: set[tuple[Any, ...]] = set()
    for row, target, scope in targets(bound.rows, to_right):
        place = (scope, target.rel)
        earlier = _same_place(seen, place)
        if row.source.fallback:
            if place in always:
                yield Fault(
                    row.source.where, "unreachable",
                    f"an earlier row always writes {target.text}", "leave this row out",
                )  # fmt: skip
        elif earlier is not None and not _apart(earlier, row, to_right):
            yield Fault(
                row.source.where,
                "two-writers",
                f"{target.text} is written by line {earlier.source.where.line} too",
                "keep one, or give them when: conditions, or this one fallback: true",
            )
        seen.setdefault(place, row)
        source = row.left if to_right else row.right
        if isinstance(source, Const) and not _when(row, to_right):
            always.add(place)
        if row.source.default is not None and to_right:
            always.add(place)


def stand_ins(bound: BoundMap) -> Iterator[Fault]:
    """Two-way rows that stand in for another on one side, and are in another's way on the other."""
    second = [set(_seconds(bound, to_right)) for to_right in (True, False)]
    for row, target, _ in targets(bound.rows, False):
        if row.source.fallback and all(row.number in rows for rows in second):
            yield Fault(
                row.source.where, "two-writers",
                f"the row stands in for another, and {target.text} is written by another row too",
                "turn it to -> or <-, whichever way it stands in for the other",
            )  # fmt: skip


def _seconds(bound: BoundMap, to_right: bool) -> Iterator[int]:
    """Rows that may write a place that an earlier row may write too, by their number."""
    seen: dict[tuple[Any, ...], BoundRow] = {}
    for row, target, scope in targets(bound.rows, to_right):
        place = (scope, target.rel)
        earlier = _same_place(seen, place)
        if earlier is not None and not _apart(earlier, row, to_right):
            yield row.number
        seen.setdefault(place, row)


def _same_place(
    seen: Mapping[tuple[Any, ...], BoundRow], place: tuple[Any, ...]
) -> BoundRow | None:
    """The row that writes this place, or one above or below it in the same block."""
    if place in seen:
        return seen[place]
    scope, steps = place
    for (other_scope, other), row in seen.items():
        if other_scope == scope and (other[: len(steps)] == steps or steps[: len(other)] == other):
            return row
    return None


def _apart(earlier: BoundRow, row: BoundRow, to_right: bool) -> bool:
    """Whether two rows cannot both run: each has a condition, or one wants what the other reads
    to be absent."""
    first, second = _when(earlier, to_right), _when(row, to_right)
    if first and second:
        return True
    source = earlier.left if to_right else earlier.right
    return (
        second is not None
        and second.negated
        and not second.values
        and isinstance(source, Path)
        and second.path.full == source.full
    )


def _when(row: BoundRow, to_right: bool) -> Condition | None:
    return row.when.left if to_right else row.when.right


def written_places(bound: BoundMap) -> Iterator[Path]:
    """The places of the left side that a map writes; none for a map that only reads."""
    for row, target, _ in targets(bound.rows, False):
        if not isinstance(row.right, Lost):
            yield target


def targets(
    rows: Iterable[BoundRow | BoundBlock], to_right: bool, scope: tuple[int, ...] = ()
) -> Iterator[tuple[BoundRow, Path, tuple[int, ...]]]:
    """Rows that write in this direction, with the loops that they stand in."""
    for entry in rows:
        if entry.source.arrow not in ("<->", "->" if to_right else "<-"):
            continue
        if isinstance(entry, BoundBlock):
            loop = entry.source.kind == "each"
            yield from targets(entry.rows, to_right, (*scope, entry.number) if loop else scope)
            continue
        target = entry.right if to_right else entry.left
        source = entry.left if to_right else entry.right
        if isinstance(target, Path) and not isinstance(source, Lost):
            yield entry, target, scope
