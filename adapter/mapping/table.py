"""A mapping table as it is written: rows and blocks, each with the place where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Arrow = Literal["<->", "->", "<-"]
ARROWS = ("<->", "->", "<-")


@dataclass(frozen=True, slots=True)
class Where:
    """A place in a table file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a table: where, a word code, what, and how to mend it."""

    where: Where
    code: str
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.code}: {self.message}. {self.fix}"


class TableError(ValueError):
    """A table that cannot be used; `faults` says why, each with its place."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults[:5]))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Place:
    """A path as text."""

    text: str
    where: Where


@dataclass(frozen=True, slots=True)
class Const:
    """A value that the table itself states."""

    value: Any
    where: Where


@dataclass(frozen=True, slots=True)
class Same:
    """What another place of the left side holds."""

    text: str
    where: Where


@dataclass(frozen=True, slots=True)
class Lost:
    """Known and not carried; `words` say why."""

    words: str
    where: Where


End = Place | Const | Same | Lost


@dataclass(frozen=True, slots=True)
class When:
    """Conditions of a row or block, one for each side that may be read."""

    left: str | None = None
    right: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One fact: `left` is `right`."""

    left: End
    arrow: Arrow
    right: End
    where: Where
    pack: str = ""
    codec: str | None = None
    codec_where: Where | None = None
    loses: str = ""
    default: Any = None
    fallback: bool = False
    absent: Any = None
    when: When = When()
    otherwise: Literal["refuse", "report", "skip"] = "refuse"


@dataclass(frozen=True, slots=True)
class Block:
    """Rows under one prefix (`with`) or for each item (`each`)."""

    kind: Literal["with", "each"]
    left: Place
    arrow: Arrow
    right: Place
    where: Where
    rows: tuple[Row | Block, ...]
    pack: str = ""
    codec: str | None = None
    loses: str = ""
    when: When = When()
    inherits: Place | None = None


Entry = Row | Block


@dataclass(frozen=True, slots=True)
class MapTable:
    """One map: what it joins, and its rows in order."""

    name: str
    pack: str
    where: Where
    left: Mapping[str, Any]
    right: Mapping[str, Any]
    rows: tuple[Entry, ...]
    dialect: str | None = None
    detect: str | None = None
    extends: str | None = None
    extends_where: Where | None = None
    drop: tuple[Place, ...] = ()
    title: str = ""
    carries: Mapping[str, Any] = field(default_factory=dict)
    left_where: Where | None = None

    @property
    def left_kinds(self) -> tuple[str, ...]:
        """The kinds of message that the map reads; it writes the first."""
        return tuple(kind.strip() for kind in str(self.left.get("message", "")).split("|") if kind)

    @property
    def right_kinds(self) -> tuple[str, ...]:
        """The kinds of event that the map writes to the left."""
        return tuple(k.strip() for k in str(self.right.get("kind", "")).split("|") if k.strip())


def inherit(child: MapTable, parent: MapTable) -> MapTable:
    """The child's rows laid over the parent's, place by place.

    Raises:
        TableError: ``override-unmatched``, for a `drop` that names no inherited row.
    """
    dropped = {place.text for place in child.drop}
    rows, gone = _without(parent.rows, dropped)
    unmatched = [place for place in child.drop if place.text not in gone]
    if unmatched:
        raise TableError(
            [
                Fault(
                    place.where,
                    "override-unmatched",
                    f"no inherited row has the right-hand path {place.text}",
                    f"take a path that {parent.name} maps",
                )
                for place in unmatched
            ]
        )
    return replace(
        child,
        left={**parent.left, **child.left},
        left_where=child.left_where or parent.left_where,
        right={**parent.right, **child.right},
        rows=_laid_over(rows, child.rows),
        dialect=child.dialect or parent.dialect,
        title=child.title or parent.title,
    )


def _key(entry: Entry) -> tuple[str, ...]:
    """What identifies a row for overriding: its right-hand path, else its left-hand path."""
    kind = entry.kind if isinstance(entry, Block) else "row"
    if isinstance(entry, Block):
        return (kind, entry.left.text, entry.right.text)
    if isinstance(entry.right, Place):
        return (kind, "right", entry.right.text)
    if isinstance(entry.left, Place):
        return (kind, "left", entry.left.text)
    return (kind, str(entry.where))


def _laid_over(rows: tuple[Entry, ...], over: tuple[Entry, ...]) -> tuple[Entry, ...]:
    mine: dict[tuple[str, ...], list[Entry]] = {}
    for entry in over:
        mine.setdefault(_key(entry), []).append(entry)
    result: list[Entry] = []
    for entry in rows:
        key = _key(entry)
        if key not in mine:
            result.append(entry)
            continue
        own = mine[key]
        if isinstance(entry, Block) and len(own) == 1 and isinstance(own[0], Block):
            own = [replace(own[0], rows=_laid_over(entry.rows, own[0].rows))]
        result.extend(own)
        mine[key] = []
    result.extend(
        entry for entry in over if any(entry is left for left in mine.get(_key(entry), ()))
    )
    return tuple(result)


def _without(rows: tuple[Entry, ...], dropped: set[str]) -> tuple[tuple[Entry, ...], set[str]]:
    kept: list[Entry] = []
    gone: set[str] = set()
    for entry in rows:
        text = entry.right.text if isinstance(entry.right, Place) else None
        if text in dropped:
            gone.add(text)
            continue
        if isinstance(entry, Block):
            inner, more = _without(entry.rows, dropped)
            gone |= more
            entry = replace(entry, rows=inner)
        kept.append(entry)
    return tuple(kept), gone
