"""Packs: folders of maps and code tables, found, inherited and bound.

Lookup order: a site's own folders, plugins' packs, core packs. A pack of the same name replaces the
one behind it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from adapter.mapping.bound import bind, split_condition
from adapter.mapping.codes import CodeTable, read_codes
from adapter.mapping.errors import NoMapError, PackError
from adapter.mapping.pack_files import about_of, text_of
from adapter.mapping.reader import read_tables
from adapter.mapping.run import Map
from adapter.mapping.table import Block, Fault, MapTable, TableError, inherit
from adapter.plugin.formats import Format

CORE = "adapter_mappings"


@dataclass(frozen=True, slots=True)
class Pack:
    """One folder: what it says of itself, its tables and codes as written."""

    name: str
    version: str
    root: Traversable
    about: Mapping[str, Any]
    tables: Mapping[str, MapTable]
    codes: Mapping[str, CodeTable]
    extends: tuple[str, ...] = ()

    def file(self, *names: str) -> Traversable:
        """A file of the pack's folder."""
        return self.root.joinpath(*names)


@dataclass(slots=True)
class Packs:
    """All packs, with their maps bound and ready."""

    packs: Mapping[str, Pack]
    maps: Sequence[Map]
    formats: Mapping[str, Format]
    preferred: str = ""
    _found: dict[tuple[str, str, str, str | None], Map] = field(default_factory=dict)
    _detectors: dict[tuple[str, str, str], list[tuple[Callable[[Any], bool], Map]]] = field(
        default_factory=dict
    )

    @classmethod
    def load(cls, roots: Iterable[Traversable], *, formats: Mapping[str, Format]) -> Packs:
        """Exactly these packs; see `load_packs`."""
        return load_packs(formats, core=roots)

    def find(
        self, left: str, kind: str, right: str = "referral", dialect: str | None = None
    ) -> Map:
        """The map for one kind of left message; a dialect's own map before the general one.

        Raises:
            NoMapError: there is none.
        """
        key = (left, kind, right, dialect)
        if key not in self._found:
            fitting = [m for m in self._between(left, right) if kind in m.table.left_kinds]
            self._found[key] = self._chosen(fitting, left, kind, right, dialect)
        return self._found[key]

    def find_left(
        self, left: str, event: str, right: str = "referral", dialect: str | None = None
    ) -> Map:
        """The map that writes an event of this kind (request, answer, …) to the left.

        Raises:
            NoMapError: there is none.
        """
        key = (left, f"<{event}", right, dialect)
        if key not in self._found:
            between = list(self._between(left, right))
            fitting = [m for m in between if event in m.table.right_kinds]
            fitting = fitting or [m for m in between if not m.table.right_kinds]
            self._found[key] = self._chosen(fitting, left, event, right, dialect)
        return self._found[key]

    def pick(
        self, left: str, tree: Any, right: str = "referral", dialect: str | None = None
    ) -> Map:
        """The map for a tree: by dialect, else by what a map's `detect` finds in it, else by kind.

        Raises:
            NoMapError: there is none.
        """
        kind = self.formats[left].kind(tree)
        if dialect is None:
            key = (left, kind, right)
            detectors = self._detectors.get(key)
            if detectors is None:
                detectors = self._detectors[key] = [
                    (_detector(each), each)
                    for each in self._between(left, right)
                    if each.table.detect and kind in each.table.left_kinds
                ]
            for detected, each in detectors:
                if detected(tree):
                    return each
        return self.find(left, kind, right, dialect)

    def preferring(self, name: str) -> Packs:
        """The same packs, with the maps of one before all others, whatever their dialect."""
        first = [each for each in self.maps if each.pack == name]
        rest = [each for each in self.maps if each.pack != name]
        return Packs(self.packs, [*first, *rest], self.formats, preferred=name)

    def _between(self, left: str, right: str) -> Iterator[Map]:
        for each in self.maps:
            if each.left_format.name == left and each.right_format.name == right:
                yield each

    def _chosen(
        self, fitting: list[Map], left: str, kind: str, right: str, dialect: str | None
    ) -> Map:
        if self.preferred and dialect is None:
            for each in fitting:
                if each.pack == self.preferred:
                    return each
        for wanted in (dialect, None) if dialect else (None,):
            for each in fitting:
                if each.dialect == wanted:
                    return each
        known = sorted({k for m in self._between(left, right) for k in m.table.left_kinds})
        raise NoMapError(left, kind, right, dialect, ", ".join(known))


def _detector(candidate: Map) -> Callable[[Any], bool]:
    """Whether a tree satisfies a map's `detect`."""
    assert candidate.table.detect is not None
    path, values, negated = split_condition(candidate.table.detect)
    notation = candidate.bound.left
    steps = notation.parse(path)

    def detected(tree: Any) -> bool:
        text = notation.peek(tree, steps)
        return (text in values) != negated if values else (text is not None) != negated

    return detected


def core_packs() -> Iterator[Traversable]:
    """The packs of the installation."""
    for entry in resources.files(CORE).iterdir():
        if entry.is_dir() and entry.joinpath("pack.toml").is_file():
            yield entry


def load_packs(
    formats: Mapping[str, Format],
    *,
    overrides: Iterable[Path | str] = (),
    plugin_packs: Iterable[Traversable] = (),
    core: Iterable[Traversable] | None = None,
    functions: Mapping[str, Any] | None = None,
    compiled: bool = True,
) -> Packs:
    """Every pack, read and bound. Maps of formats that are not at hand are left out.

    `overrides` are folders: each a pack, or a folder of packs. With `compiled`, source is generated
    for every map now; else for each map at its first message.

    Raises:
        PackError: with every fault, each with file and line.
    """
    faults: list[Fault] = []
    packs: dict[str, Pack] = {}
    roots = [*pack_folders(overrides), *plugin_packs, *(core_packs() if core is None else core)]
    for root in roots:
        try:
            pack = read_pack(root)
        except TableError as error:
            faults.extend(error.faults)
            continue
        packs.setdefault(pack.name, pack)
    maps: list[Map] = []
    for pack in packs.values():
        maps.extend(_bound(pack, packs, formats, functions or {}, faults, compiled))
    if faults:
        raise PackError(list(faults))
    return Packs(packs, maps, formats)


def pack_folders(overrides: Iterable[Path | str]) -> Iterator[Traversable]:
    """Each pack of folders that are a pack, or hold packs."""
    for each in overrides:
        path = Path(each)
        if path.joinpath("pack.toml").is_file():
            yield path
        else:
            yield from (p.parent for p in sorted(path.glob("*/pack.toml")))


def pack_formats(root: Traversable) -> frozenset[str]:
    """The formats that a pack joins with the referral, as it says itself, or as the shipped pack of
    its name says where it cannot be read."""
    shipped = (each for each in core_packs() if each.name == root.name)
    for folder in (root, *shipped):
        try:
            about = tomllib.loads(folder.joinpath("pack.toml").read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
            continue
        formats = about.get("pack", {}).get("formats")
        if isinstance(formats, list):
            return frozenset(map(str, formats)) - {"referral"}
    return frozenset()


def read_pack(root: Traversable) -> Pack:
    """One pack as written.

    Raises:
        TableError: with the faults of its files.
    """
    about = about_of(root)
    faults: list[Fault] = []
    tables: dict[str, MapTable] = {}
    codes: dict[str, CodeTable] = {}
    pack = str(about.get("name", root.name))
    for entry in _entries(root, ".map.yaml"):
        try:
            for table in read_tables(text_of(entry), str(entry), pack):
                if table.dialect is None and about.get("dialect"):
                    table = replace(table, dialect=str(about["dialect"]))
                if table.name in tables:
                    faults.append(_twice(table, tables[table.name]))
                tables[table.name] = table
        except TableError as error:
            faults.extend(error.faults)
    for entry in _entries(root.joinpath("codes"), ".csv"):
        try:
            codes[entry.name[:-4]] = read_codes(text_of(entry), str(entry), entry.name[:-4])
        except TableError as error:
            faults.extend(error.faults)
    if faults:
        raise TableError(faults)
    extends = about.get("extends", ())
    extends = (extends,) if isinstance(extends, str) else tuple(extends)
    return Pack(pack, str(about.get("version", "0")), root, about, tables, codes, extends)


def _entries(folder: Traversable, suffix: str) -> list[Traversable]:
    """The files of a folder that end so, by name."""
    found = folder.iterdir() if folder.is_dir() else ()
    return sorted((each for each in found if each.name.endswith(suffix)), key=lambda e: e.name)


def _twice(table: MapTable, other: MapTable) -> Fault:
    file = other.where.file.rpartition("/")[2]
    said = f"the map {table.name} stands at {file}:{other.where.line} too"
    return Fault(table.where, "map-twice", said, "give one of them another name")


def codes_of(
    pack: Pack, packs: Mapping[str, Pack], seen: frozenset[str] = frozenset()
) -> dict[str, CodeTable]:
    """A pack's code tables and those that it inherits; a circle is followed once."""
    found: dict[str, CodeTable] = {}
    seen |= {pack.name}
    for name in pack.extends:
        if name in packs and name not in seen:
            found.update(codes_of(packs[name], packs, seen))
    found.update(pack.codes)
    return found


def codes_used(packs: Iterable[Pack]) -> set[str]:
    """The names that the codecs of the packs' rows give, code tables among them."""
    entries = [each for pack in packs for table in pack.tables.values() for each in table.rows]
    names: set[str] = set()
    while entries:
        entry = entries.pop()
        _, _, arguments = (entry.codec or "").partition("(")
        names.update(name.strip() for name in arguments.rstrip(")").split(","))
        if isinstance(entry, Block):
            entries.extend(entry.rows)
    return names


def codes_for(table: MapTable, pack: Pack, packs: Mapping[str, Pack]) -> dict[str, CodeTable]:
    """The code tables that a map may name: its pack's, and those of the map that it extends."""
    found = codes_of(pack, packs)
    owner = table.extends.split("/")[0] if table.extends and "/" in table.extends else ""
    return {**codes_of(packs[owner], packs), **found} if owner in packs else found


def resolved(table: MapTable, packs: Mapping[str, Pack], seen: tuple[str, ...] = ()) -> MapTable:
    """A table with everything that it inherits.

    Raises:
        TableError: ``extends-unknown``, or inheritance in a circle.
    """
    if table.extends is None:
        return table
    pack, _, name = table.extends.rpartition("/")
    parent = packs[pack or table.pack].tables.get(name) if (pack or table.pack) in packs else None
    key = f"{table.pack}/{table.name}"
    if parent is None or key in seen:
        where = table.extends_where or table.where
        reason = (
            "inherits from itself" if parent is not None else f"there is no map {table.extends}"
        )
        raise TableError([Fault(where, "extends-unknown", reason, "name a map, or pack/map")])
    return inherit(table, resolved(parent, packs, (*seen, key)))


def _bound(
    pack: Pack,
    packs: Mapping[str, Pack],
    formats: Mapping[str, Format],
    functions: Mapping[str, Any],
    faults: list[Fault],
    compiled: bool,
) -> Iterator[Map]:
    for table in pack.tables.values():
        try:
            whole = resolved(table, packs)
            if whole.left.get("abstract"):
                continue
            sides = (str(whole.left.get("format")), str(whole.right.get("format")))
            if not all(side in formats for side in sides):
                continue
            known = codes_for(table, pack, packs)
            found = Map(bind(whole, formats, known, functions))
            yield found.compile() if compiled else found
        except TableError as error:
            faults.extend(error.faults)
