"""Everything that can be known to be wrong with a table before a message meets it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.resources.abc import Traversable
from typing import Any

from adapter.mapping.bound import (
    BoundBlock,
    BoundMap,
    BoundRow,
    BoundWhen,
    Condition,
    Path,
    bind,
)
from adapter.mapping.domain_check import check_domain
from adapter.mapping.emit import Emitter
from adapter.mapping.pack_files import place_in_toml
from adapter.mapping.packs import Pack, codes_for, read_pack, resolved
from adapter.mapping.table import Const, Fault, TableError, Where
from adapter.mapping.writers import stand_ins, targets, writers
from adapter.plugin.formats import Element, Format, Notation, PathError

Entry = BoundRow | BoundBlock


def check_pack(
    root: Traversable,
    packs: Mapping[str, Pack],
    formats: Mapping[str, Format],
    functions: Mapping[str, Any] | None = None,
) -> list[Fault]:
    """Every fault of one pack's folder, in the order of its files and lines.

    `packs` are the others, for inheritance.
    """
    try:
        pack = read_pack(root)
    except TableError as error:
        return _sorted(error.faults)
    known = {**packs, pack.name: pack}
    faults: list[Fault] = list(_ancestors(pack, known))
    for table in pack.tables.values():
        try:
            whole = resolved(table, known)
            if whole.left.get("abstract"):
                continue  # for inheriting from; it is checked in each map that does
            codes = codes_for(table, pack, known)
            faults.extend(check_map(bind(whole, formats, codes, functions)))
        except TableError as error:
            faults.extend(error.faults)
    faults.extend(check_domain(pack, known, formats))
    return _sorted(faults)


def _ancestors(pack: Pack, known: Mapping[str, Pack]) -> Iterator[Fault]:
    """Packs that this one extends and that are not there, or that lead back to it."""
    for name in pack.extends:
        seen, waiting = {name}, [name]
        while waiting:
            ancestor = known.get(waiting.pop())
            further = ancestor.extends if ancestor else ()
            waiting += [each for each in further if each not in seen]
            seen.update(further)
        if name in known and pack.name not in seen:
            continue
        said = f"there is no pack {name}" if name not in known else "the pack extends itself"
        fix = f"name one of {_or(sorted(each for each in known if each != pack.name))}"
        yield Fault(place_in_toml(pack.root, "extends"), "extends-unknown", said, fix)


def _sorted(faults: Iterable[Fault]) -> list[Fault]:
    found = dict.fromkeys(faults)
    return sorted(found, key=lambda f: (f.where.file, f.where.line, f.where.column))


def check_map(bound: BoundMap) -> list[Fault]:
    """Every fault of one bound map."""
    faults: list[Fault] = list(_sides(bound))
    if faults:
        return faults
    for entry in _entries(bound.rows):
        faults.extend(_paths(bound, entry))
        if isinstance(entry, BoundRow):
            faults.extend(_codec(bound, entry))
        faults.extend(_losses(bound, entry))
    faults.extend(_reach(bound.rows, True, True))
    faults.extend(stand_ins(bound))
    for to_right in (True, False):
        faults.extend(writers(bound, to_right))
        faults.extend(_required(bound, to_right))
    if not faults:
        faults.extend(_emitted(bound))
    return faults


def _sides(bound: BoundMap) -> Iterator[Fault]:
    """What the map says of its sides: versions and structures that there are."""
    table = bound.table
    for notation, where in ((bound.left, table.left_where), (bound.right, None)):
        try:
            notation.element(())
        except PathError as error:
            yield Fault(where or table.where, error.code, error.message, error.fix)
        except (AttributeError, TypeError, ValueError):
            said = "what is said of this side cannot be read"
            fix = "write each key as docs/reference/mapping-tables.md shows it"
            yield Fault(where or table.where, "yaml", said, fix)


def _entries(rows: Iterable[Entry]) -> Iterator[Entry]:
    for entry in rows:
        yield entry
        if isinstance(entry, BoundBlock):
            yield from _entries(entry.rows)


def _element(notation: Notation, path: Path) -> Element | Fault:
    try:
        return notation.element(path.full)
    except PathError as error:
        where = Where(path.where.file, path.where.line, path.where.column + error.offset)
        return Fault(where, error.code, f"{path.text}: {error.message}", error.fix)


def _paths(bound: BoundMap, entry: Entry) -> Iterator[Fault]:
    for notation, path in (
        (bound.left, entry.left),
        (bound.right, entry.right),
        (bound.left, entry.inherits if isinstance(entry, BoundBlock) else None),
        (bound.left, _condition_path(entry.when, "left")),
        (bound.right, _condition_path(entry.when, "right")),
    ):
        if isinstance(path, Path):
            found = _element(notation, path)
            if isinstance(found, Fault):
                yield found


def _condition_path(when: BoundWhen, side: str) -> Path | None:
    condition: Condition | None = getattr(when, side)
    return condition.path if condition is not None else None


def _codec(bound: BoundMap, row: BoundRow) -> Iterator[Fault]:
    """Whether the codec fits the types on both sides, and a constant its element."""
    codec = row.codec
    where = row.source.codec_where or row.source.where
    for notation, path, fits, side in (
        (bound.left, row.left, codec.left, "left"),
        (bound.right, row.right, codec.right, "right"),
    ):
        other = row.right if side == "left" else row.left
        if not isinstance(path, Path):
            continue
        found = _element(notation, path)
        if isinstance(found, Fault) or not found.types:
            continue
        if isinstance(other, Const):
            yield from _constant(found, path, other)
        if not isinstance(other, Path):
            continue
        if found.repeats and not codec.many:
            yield Fault(
                path.where,
                "list-needs-index",
                f"{path.text} is a list",
                "say which item, or write - each: […]",
            )
        elif fits and not fits & set(found.types):
            yield Fault(
                where,
                "codec-type",
                f"the codec {codec.name} does not fit {path.text}, which is {_or(found.types)}",
                f"it fits {_or(sorted(fits))}",
            )


def _constant(found: Element, path: Path, const: Const) -> Iterator[Fault]:
    if found.codes is not None and str(const.value) not in found.codes:
        yield Fault(
            const.where,
            "const-value",
            f"{path.text} has no code {const.value}",
            f"use one of {_or(sorted(found.codes)[:12])}",
        )


def _or(words: Iterable[str]) -> str:
    return ", ".join(words) or "nothing"


def _losses(bound: BoundMap, entry: Entry) -> Iterator[Fault]:
    """One-way rows and lossy codecs say in words what they lose."""
    source = entry.source
    if source.loses:
        return
    if isinstance(entry, BoundBlock):
        if source.arrow != "<->":
            yield Fault(
                source.where, "loss-unsaid", "a one-way block does not say what it loses",
                "add loses: words, or make it <->",
            )  # fmt: skip
        return
    paths = isinstance(entry.left, Path) and isinstance(entry.right, Path)
    if paths and source.arrow != "<->":
        yield Fault(
            source.where, "loss-unsaid", "a one-way row does not say what it loses",
            "add loses: words, or make it <->",
        )  # fmt: skip
    elif paths and entry.codec.loses and _loses(bound, entry):
        yield Fault(
            entry.source.codec_where or source.where,
            "loss-unsaid",
            f"the codec {entry.codec.name} loses {entry.codec.loses}, and the row is two-way",
            f'add loses: "{entry.codec.loses}"',
        )


def _loses(bound: BoundMap, row: BoundRow) -> bool:
    """Whether the left type can hold what the codec loses."""
    assert isinstance(row.left, Path)
    found = _element(bound.left, row.left)
    return isinstance(found, Fault) or not set(found.types) <= row.codec.lossless


def _reach(rows: Iterable[Entry], right: bool, left: bool) -> Iterator[Fault]:
    """Rows that can never run: their block runs in the other direction only."""
    for entry in rows:
        arrow = entry.source.arrow
        runs_right, runs_left = right and arrow != "<-", left and arrow != "->"
        if not (runs_right or runs_left):
            yield Fault(
                entry.source.where, "unreachable",
                f"the row is {arrow}, and its block runs in the other direction only",
                "turn the row or its block",
            )  # fmt: skip
        if isinstance(entry, BoundBlock):
            if not entry.rows:
                yield Fault(
                    entry.source.where,
                    "unreachable",
                    "the block has no rows",
                    "add rows or a codec",
                )
            yield from _reach(entry.rows, runs_right, runs_left)


def _required(bound: BoundMap, to_right: bool) -> Iterator[Fault]:
    notation = bound.right if to_right else bound.left
    paths = [target.full for _, target, _ in targets(bound.rows, to_right)]
    if not to_right and (not paths or bound.table.left.get("partial")):
        return  # a map for reading only, or for a part of what is written
    paths.extend(
        (block.right if to_right else block.left).full
        for block in _entries(bound.rows)
        if isinstance(block, BoundBlock)
    )
    for name in notation.required(paths):
        yield Fault(
            bound.table.where,
            "missing-required",
            f"{name} is required, and no row writes it",
            "add a row, a const or a default for it",
        )


def _emitted(bound: BoundMap) -> list[Fault]:
    try:
        for to_right in (True, False):
            Emitter(bound, to_right, False).emit()
    except TableError as error:
        return error.faults
    return []
