"""A table with its paths understood: each place as steps, each codec found.

Paths of a row are kept relative to the loop that it stands in; `with` prefixes are joined to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.mapping.table import (
    Block,
    Const,
    Entry,
    Fault,
    Lost,
    MapTable,
    Place,
    Row,
    Same,
    TableError,
    Where,
)
from adapter.plugin.formats import Codec, CodecMaker, Format, Notation, PathError, Step, Table

Steps = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """A place: steps relative to its loop (`rel`), from the root (`abs`), and its text."""

    rel: Steps
    full: Steps
    text: str
    where: Where
    rooted: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on the side that is read: a path, and what its value must (not) be."""

    path: Path
    values: tuple[str, ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class BoundWhen:
    """The conditions of an entry."""

    left: Condition | None = None
    right: Condition | None = None


@dataclass(frozen=True, slots=True)
class BoundRow:
    """A row whose places and codec are known. `number` is its position in the map."""

    number: int
    source: Row
    left: Path | Const | Same | Lost
    right: Path | Const | Same | Lost
    codec: Codec
    when: BoundWhen


@dataclass(frozen=True, slots=True)
class BoundBlock:
    """A block whose places are known; a loop's own rows are relative to its item."""

    number: int
    source: Block
    left: Path
    right: Path
    rows: tuple[BoundRow | BoundBlock, ...]
    when: BoundWhen
    inherits: Path | None


@dataclass(frozen=True, slots=True)
class BoundMap:
    """A map ready to be compiled."""

    table: MapTable
    left_format: Format
    right_format: Format
    left: Notation
    right: Notation
    rows: tuple[BoundRow | BoundBlock, ...]
    by_number: Mapping[int, BoundRow | BoundBlock]


def bind(
    table: MapTable,
    formats: Mapping[str, Format],
    codes: Mapping[str, Table],
    functions: Mapping[str, Any] | None = None,
) -> BoundMap:
    """Understand every path and codec of a table.

    Raises:
        TableError: with every fault of the table's text.
    """
    faults: list[Fault] = []
    sides: dict[str, Format] = {}
    for side, spec in (("left", table.left), ("right", table.right)):
        found = formats.get(str(spec.get("format")))
        if found is None:
            known = ", ".join(sorted(formats)) or "none"
            faults.append(
                Fault(
                    table.where,
                    "format-unknown",
                    f"no format is named {spec.get('format')}",
                    f"install or enable the plugin that brings it; there are: {known}",
                )
            )
        else:
            sides[side] = found
    if faults:
        raise TableError(faults)
    left, right = sides["left"], sides["right"]
    binder = _Binder(
        _notation(left, table.left, table),
        _notation(right, table.right, table),
        left.codecs,
        codes,
        functions or {},
        faults,
    )
    rows = binder.entries(table.rows, (), (), (), ())
    if faults:
        raise TableError(faults)
    return BoundMap(table, left, right, binder.left, binder.right, rows, binder.by_number)


def _notation(side: Format, spec: Mapping[str, Any], table: MapTable) -> Notation:
    """The paths of one side, as what the map says of it makes them."""
    where = table.left_where or table.where if spec is table.left else table.where
    try:
        return side.notation(spec)
    except PathError as error:
        raise TableError([Fault(where, error.code, error.message, error.fix)]) from None
    except (AttributeError, TypeError, ValueError):
        said = f"{side.name} cannot read what is said of this side"
        fix = "write each key as docs/reference/mapping-tables.md shows it"
        raise TableError([Fault(where, "yaml", said, fix)]) from None


def _same_without(maker: CodecMaker, made: Codec) -> bool:
    """Whether a codec is the same one whatever stands in its parentheses."""
    try:
        return maker((), {}) is made
    except (KeyError, ValueError):
        return False


class _Binder:
    def __init__(
        self,
        left: Notation,
        right: Notation,
        codecs: Mapping[str, CodecMaker],
        codes: Mapping[str, Table],
        functions: Mapping[str, Any],
        faults: list[Fault],
    ) -> None:
        self.left = left
        self.right = right
        self.codecs = codecs
        self.codes = codes
        self.functions = functions
        self.faults = faults
        self.by_number: dict[int, BoundRow | BoundBlock] = {}
        self.count = 0
        self.made: dict[str, Codec] = {}

    def entries(
        self, rows: tuple[Entry, ...], left: Steps, right: Steps, left_rel: Steps, right_rel: Steps
    ) -> tuple[BoundRow | BoundBlock, ...]:
        bound: list[BoundRow | BoundBlock] = []
        for entry in rows:
            self.count += 1
            number = self.count
            found: BoundRow | BoundBlock | None
            if isinstance(entry, Row):
                found = self._row(number, entry, left, right, left_rel, right_rel)
            else:
                found = self._block(number, entry, left, right, left_rel, right_rel)
            if found is not None:
                self.by_number[number] = found
                bound.append(found)
        return tuple(bound)

    def _row(
        self, number: int, row: Row, left: Steps, right: Steps, left_rel: Steps, right_rel: Steps
    ) -> BoundRow | None:
        ends = (
            self._end(self.left, row.left, left, left_rel),
            self._end(self.right, row.right, right, right_rel),
        )
        codec = self._codec(row)
        when = self._when(row, left, right, left_rel, right_rel)
        if ends[0] is None or ends[1] is None or codec is None:
            return None
        return BoundRow(number, row, ends[0], ends[1], codec, when)

    def _block(
        self,
        number: int,
        block: Block,
        left: Steps,
        right: Steps,
        left_rel: Steps,
        right_rel: Steps,
    ) -> BoundBlock | None:
        each = block.kind == "each"
        at_left = self._path(self.left, block.left, left, left_rel, each=each)
        at_right = self._path(self.right, block.right, right, right_rel, each=each)
        when = self._when(block, left, right, left_rel, right_rel)
        if at_left is None or at_right is None:
            return None
        inner_rel = ((), ()) if each else (at_left.rel, at_right.rel)
        rows = self.entries(block.rows, at_left.full, at_right.full, *inner_rel)
        inherits = None
        if block.inherits is not None:
            inherits = self._path(self.left, block.inherits, left, left_rel)
        return BoundBlock(number, block, at_left, at_right, rows, when, inherits)

    def _end(
        self, notation: Notation, end: Any, at: Steps, rel: Steps
    ) -> Path | Const | Same | Lost | None:
        if isinstance(end, Place):
            return self._path(notation, end, at, rel)
        found: Const | Same | Lost = end
        return found

    def _path(
        self, notation: Notation, place: Place, at: Steps, rel: Steps, *, each: bool = False
    ) -> Path | None:
        rooted = place.text.startswith("/")
        try:
            if rooted:
                steps = notation.parse(place.text[1:], (), each=each)
                return Path(steps, steps, place.text, place.where, rooted=True)
            steps = notation.parse(place.text, at, each=each)
        except PathError as error:
            where = place.where
            column = where.column + error.offset
            self.faults.append(
                Fault(Where(where.file, where.line, column), error.code, error.message, error.fix)
            )
            return None
        return Path(rel + steps, at + steps, place.text, place.where)

    def _codec(self, row: Row) -> Codec | None:
        text = row.codec or "text"
        if text in self.made:
            return self.made[text]
        name, _, rest = text.partition("(")
        arguments = tuple(part.strip() for part in rest.rstrip(")").split(",")) if rest else ()
        where = row.codec_where or row.where
        if name == "call":
            found = self.functions.get(arguments[0]) if arguments else None
            if isinstance(found, Codec):
                return found
            self.faults.append(
                Fault(where, "codec-unknown", f"no function {', '.join(arguments)}",
                      "register it in a plugin")
            )  # fmt: skip
            return None
        maker = self.codecs.get(name)
        if maker is None:
            self.faults.append(
                Fault(
                    where,
                    "codec-unknown",
                    f"there is no codec {name}",
                    f"use one of {', '.join(sorted(self.codecs))}",
                )
            )
            return None
        try:
            made = maker(arguments, self.codes)
            if arguments and _same_without(maker, made):
                raise ValueError(f"{name} takes nothing in parentheses")
        except KeyError as error:
            message = f"there is no code table {error.args[0]}"
            fix = "add codes/NAME.csv, or extend the pack that has it"
            self.faults.append(Fault(where, "codes-unknown", message, fix))
            return None
        except ValueError as error:
            fix = "see docs/reference/mapping-tables.md, codecs"
            self.faults.append(Fault(where, "codec-type", str(error), fix))
            return None
        self.made[text] = made
        return made

    def _when(
        self, entry: Entry, left: Steps, right: Steps, left_rel: Steps, right_rel: Steps
    ) -> BoundWhen:
        return BoundWhen(
            self._condition(self.left, entry.when.left, entry, left, left_rel),
            self._condition(self.right, entry.when.right, entry, right, right_rel),
        )

    def _condition(
        self, notation: Notation, text: str | None, entry: Entry, at: Steps, rel: Steps
    ) -> Condition | None:
        if not text:
            return None
        path, values, negated = split_condition(text)
        found = self._path(notation, Place(path, entry.where), at, rel)
        return Condition(found, values, negated) if found is not None else None


def split_condition(text: str) -> tuple[str, tuple[str, ...], bool]:
    """Path, values and negation of ``path=a|b``, ``path!=a``, ``path`` or ``!path``.

    Without values, the condition is about there being a value at all.
    """
    depth = 0
    for position, char in enumerate(text):
        depth += {"[": 1, "]": -1}.get(char, 0)
        if depth == 0 and char == "=":
            negated = text[position - 1] == "!"
            path = text[: position - 1] if negated else text[:position]
            return path.strip(), tuple(v.strip() for v in text[position + 1 :].split("|")), negated
    negated = text.startswith("!")
    return text.lstrip("!").strip(), (), negated


Compiled = Callable[[Any, Any], Any]
