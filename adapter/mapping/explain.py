"""Which row made each value, and where each part of the input went.

A traced run of the same table: the generated source also records which row read which place and
wrote which. A part counts as carried when taking it away would change what its row's codec makes of
it, or when it is written again as it was; everything else is lost, with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

from adapter.mapping.bound import BoundBlock, BoundRow
from adapter.mapping.emit import Emitter, Source
from adapter.mapping.run import Loss, Map
from adapter.mapping.table import Lost, Place, Where
from adapter.plugin.formats import DomainError, Format, Leaf, Settings

Spot = tuple[Any, ...]
_DEFAULT = Settings()


@dataclass(frozen=True, slots=True)
class Carried:
    """One leaf of the input that reached the output.

    `where` and `to_where` are places in the two trees; `to` is the output's path, `value` what
    stands there.
    """

    path: str
    raw: str = field(repr=False)
    to: str
    value: Any = field(repr=False)
    row: Where
    pack: str
    where: Spot
    to_where: Spot


@dataclass(frozen=True, slots=True)
class Made:
    """One output value and the row that made it; `constant` if the table itself states it."""

    path: str
    value: str = field(repr=False)
    row: Where
    pack: str
    constant: bool
    where: Spot


@dataclass(frozen=True, slots=True)
class Traced:
    """One traced mapping: `parts` leaves came in; each is in `carried` or in `lost`."""

    result: Any = field(repr=False)
    parts: int
    carried: tuple[Carried, ...]
    lost: tuple[Loss, ...]
    made: tuple[Made, ...]
    untraced: tuple[Leaf, ...]
    lost_where: Mapping[Spot, Loss] = field(repr=False)


class _Recorder:
    """What the traced source reports."""

    def __init__(self) -> None:
        self.wrote: list[tuple[int, Spot, Any, Any, Any, Any]] = []
        self.stated: list[tuple[int, Any, Any]] = []
        self.links: dict[int, tuple[Any, Any]] = {}
        self.alive: list[Any] = []
        self.used: list[tuple[int, Spot, tuple[str, ...] | None]] = []
        self.known: list[tuple[int, Spot]] = []
        self.again: list[tuple[int, Spot, Any, Any]] = []
        self.derived: list[tuple[int, Spot]] = []

    def names(self) -> dict[str, Any]:
        return {
            "T": lambda *found: self.wrote.append(found),
            "C": lambda *found: self.stated.append(found),
            "L": self.link,
            "U": lambda *found: self.used.append(found),
            "K": lambda *found: self.known.append(found),
            "B": lambda *found: self.derived.append(found),
            "R": lambda *found: self.again.append(found),
        }

    def link(self, child: Any, parent: Any, key: Any) -> None:
        self.links[id(child)] = (parent, key)
        self.alive.append(child)

    def place(self, container: Any, key: Any, roots: Mapping[int, Spot]) -> Spot | None:
        """The place of a key of a container in the finished tree, or None if it was dropped."""
        keys = [key]
        while id(container) not in roots:
            if id(container) not in self.links:
                return None
            container, key = self.links[id(container)]
            keys.extend(reversed(key) if isinstance(key, tuple) else (key,))
        return (*roots[id(container)], *reversed(keys))


@lru_cache(maxsize=64)
def _traced_code(mapping: Map, to_right: bool) -> tuple[CodeType, Source]:
    source = Emitter(mapping.bound, to_right, True).emit()
    name = f"<{mapping.pack}/{mapping.name} traced>"
    return compile(source.text, name, "exec"), source


def trace(
    mapping: Map,
    tree: Any,
    settings: Settings = _DEFAULT,
    *,
    to_right: bool = True,
    kind: str = "",
) -> Traced:
    """Map a tree (or, to the left, a canonical document), and say where everything went.

    Raises:
        MappingError: as the mapping itself would.
    """
    return _Trace(mapping, tree, settings, to_right, kind).run()


class _Trace:
    def __init__(
        self, mapping: Map, tree: Any, settings: Settings, to_right: bool, kind: str
    ) -> None:
        self.map = mapping
        self.tree = tree
        self.to_right = to_right
        left, right = mapping.left_format, mapping.right_format
        self.source, self.target = (left, right) if to_right else (right, left)
        bound = mapping.bound
        self.reader, self.writer = (
            (bound.left, bound.right) if to_right else (bound.right, bound.left)
        )
        kind = kind or (mapping.table.left_kinds[0] if mapping.table.left_kinds else "")
        self.env = left.reading(tree, settings) if to_right else left.writing(tree, settings, kind)
        self.recorder = _Recorder()

    def run(self) -> Traced:
        code, source = _traced_code(self.map, self.to_right)
        namespace = {**source.names, **self.recorder.names()}
        exec(code, namespace)  # noqa: S102 - generated from checked tables
        result = self.map.run(namespace["convert"], source, self.tree, self.env)
        self.leaves = list(self.source.leaves(self.tree))
        self.by_head: dict[Any, list[Leaf]] = {}
        for leaf in self.leaves:
            self.by_head.setdefault(leaf.where[:1], []).append(leaf)
        roots = self.writer.places(self.env, result)
        outputs = list(self.target.leaves(result))
        carried: dict[Spot, list[Carried]] = {}
        made: dict[Spot, Made] = {}
        lacking: dict[Spot, str] = {}
        for number, where, raw, container, key, value in self.recorder.wrote:
            place = self.recorder.place(container, key, roots)
            if place is None:
                continue
            row = self.map.bound.by_number[number]
            assert isinstance(row, BoundRow)
            written = [leaf for leaf in outputs if leaf.where[: len(place)] == place]
            for leaf in written:
                made.setdefault(leaf.where, self._made(leaf, row, constant=False))
            self._carry(row, where, raw, value, written, place, carried, lacking)
        for number, container, key in self.recorder.stated:
            place = self.recorder.place(container, key, roots)
            row = self.map.bound.by_number[number]
            for leaf in outputs:
                if place is not None and leaf.where[: len(place)] == place:
                    made.setdefault(leaf.where, self._made(leaf, row, constant=True))
        self._restated(result, carried, lacking)
        lost = self._lost(carried, lacking)
        return Traced(
            result,
            len(self.leaves),
            tuple(each for leaf in self.leaves for each in carried.get(leaf.where, ())),
            tuple(lost[leaf.where] for leaf in self.leaves if leaf.where in lost),
            tuple(made.values()),
            tuple(
                leaf
                for leaf in outputs
                if leaf.where not in made and not self.target.made_again(leaf)
            ),
            lost,
        )

    def _made(self, leaf: Leaf, row: BoundRow | BoundBlock, *, constant: bool) -> Made:
        source = row.source
        return Made(leaf.path, leaf.raw, source.where, source.pack, constant, leaf.where)

    def under(self, where: Spot) -> Iterable[Leaf]:
        for leaf in self.by_head.get(where[:1], ()) if where else self.leaves:
            if leaf.where[: len(where)] == where:
                yield leaf

    def _carry(
        self,
        row: BoundRow,
        where: Spot,
        raw: Any,
        value: Any,
        written: list[Leaf],
        place: Spot,
        carried: dict[Spot, list[Carried]],
        lacking: dict[Spot, str],
    ) -> None:
        for leaf in self.under(where):
            inner = leaf.where[len(where) :]
            if not self._matters(row, raw, value, inner):
                lacking.setdefault(
                    leaf.where, f"the codec {row.codec.name} of this row does not carry it"
                )
                continue
            same = [each for each in written if each.raw == leaf.raw]
            for target in same[:1] or written:
                found = Carried(
                    leaf.path,
                    leaf.raw,
                    target.path,
                    target.raw,
                    row.source.where,
                    row.source.pack,
                    leaf.where,
                    target.where,
                )
                carried.setdefault(leaf.where, []).append(found)

    def _matters(self, row: BoundRow, raw: Any, value: Any, inner: Spot) -> bool:
        """Whether a leaf under the value that was read makes a difference, or is written again."""
        read, write = row.codec.read, row.codec.write
        if not self.to_right:
            read, write = write, read
        try:
            if read(self.reader.without(raw, inner), self.env) != value:
                return True
            again = write(value, self.env)
        except (DomainError, AttributeError, TypeError, KeyError, IndexError, ValueError):
            return True
        return bool(self.reader.part(again, inner) == self.reader.part(raw, inner))

    def _written_back(self, result: Any) -> list[tuple[int, Spot, tuple[str, ...]]]:
        """Leaves that a one-way row of the other direction writes again as they were."""
        if not self.recorder.derived:
            return []
        back = self.map.to_left(result) if self.to_right else self.map.to_right(result)
        raw = {leaf.path: leaf.raw for leaf in self.source.leaves(back.document)}
        return [
            (number, leaf.where, (leaf.raw,))
            for number, where in self.recorder.derived
            for leaf in self.under(where)
            if raw.get(leaf.path) == leaf.raw
        ]

    def _restated(
        self, result: Any, carried: dict[Spot, list[Carried]], lacking: dict[Spot, str]
    ) -> None:
        """Leaves that selectors and constants of the other direction write again."""
        marks: list[tuple[int, Spot, tuple[str, ...] | None]] = list(self.recorder.used)
        for number, where, value, expected in self.recorder.again:
            if expected is None or str(value) == str(expected):
                marks.append((number, where, None if expected is None else (str(expected),)))
            else:
                for leaf in self.under(where):
                    lacking.setdefault(leaf.where, f"it is written again as {expected}")
        marks.extend(self._written_back(result))
        for number, where, values in marks:
            row = self.map.bound.by_number[number]
            for leaf in self.under(where):
                if leaf.where in carried or (values is not None and leaf.raw not in values):
                    continue
                other = row.right if self.to_right else row.left
                text = other.text if hasattr(other, "text") else "const"
                source = row.source
                found = Carried(
                    leaf.path, leaf.raw, text, leaf.raw, source.where, source.pack, leaf.where, ()
                )
                carried.setdefault(leaf.where, []).append(found)

    def _lost(
        self, carried: dict[Spot, list[Carried]], lacking: dict[Spot, str]
    ) -> dict[Spot, Loss]:
        said: dict[Spot, tuple[str, Where]] = {}
        for number, where in self.recorder.known:
            row = self.map.bound.by_number[number].source
            end = row.right if isinstance(row.right, Lost) else row.left
            if isinstance(end, Lost):
                for leaf in self.under(where):
                    said[leaf.where] = (end.words, row.where)
        for number, why, where in getattr(self.env, "reported", ()):
            for leaf in self.under(where) if where is not None else ():
                said[leaf.where] = (why, self.map.bound.by_number[number].source.where)
        lost: dict[Spot, Loss] = {}
        for leaf in self.leaves:
            if leaf.where in carried:
                continue
            if leaf.where in said:
                lost[leaf.where] = Loss(leaf.path, leaf.raw, *said[leaf.where])
                continue
            why = self.source.made_again(leaf) or lacking.get(leaf.where)
            why = why or f"no row of {self.map.pack}/{self.map.name} reads it"
            lost[leaf.where] = Loss(leaf.path, leaf.raw, why)
        return lost


@dataclass(frozen=True, slots=True)
class Explanation:
    """A conversion from one format to another, explained leaf by leaf."""

    result: Any = field(repr=False)
    parts: int
    mapped: tuple[Carried, ...]
    lost: tuple[Loss, ...]
    made: tuple[Made, ...]


def unmapped(source: Format, tree: Any, why: str) -> Explanation:
    """A message that no map takes: every part of it is lost."""
    lost = tuple(Loss(leaf.path, leaf.raw, why) for leaf in source.leaves(tree))
    return Explanation(None, len(lost), (), lost, ())


def explain_through(first: Traced, second: Traced) -> Explanation:
    """Two traced steps as one: what the first carried and the second lost is lost.

    The row of a mapped leaf is the one that read it.
    """
    onward: dict[Spot, list[Carried]] = {}
    for each in second.carried:
        onward.setdefault(each.where, []).append(each)
    mapped: list[Carried] = []
    dropped: dict[Spot, Loss] = {}
    kept: set[Spot] = set()
    for each in first.carried:
        reached = onward.get(each.to_where, ()) if each.to_where else ()
        if not each.to_where:
            mapped.append(each)
            kept.add(each.where)
        for target in reached:
            kept.add(each.where)
            mapped.append(
                Carried(
                    each.path,
                    each.raw,
                    target.to,
                    target.value,
                    each.row,
                    each.pack,
                    each.where,
                    target.to_where,
                )
            )
        if each.to_where and not reached:
            loss = second.lost_where.get(each.to_where)
            why = f"{each.to}: {loss.why}" if loss else f"{each.to} is not carried"
            dropped.setdefault(
                each.where, Loss(each.path, each.raw, why, loss.row if loss else None)
            )
    lost = [*first.lost, *(loss for where, loss in dropped.items() if where not in kept)]
    return Explanation(second.result, first.parts, tuple(mapped), tuple(lost), second.made)


__all__ = [
    "Carried",
    "Explanation",
    "Made",
    "Place",
    "Traced",
    "explain_through",
    "trace",
    "unmapped",
]
