"""The case files of a pack: example messages, and documents whose message is expected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import Any

from adapter.mapping.errors import NoMapError
from adapter.mapping.packs import Pack, Packs
from adapter.mapping.run import Map
from adapter.plugin.errors import DataError

WRITTEN = ".referral.json"


@dataclass(frozen=True, slots=True)
class Case:
    """A case file, read; or why it cannot be."""

    name: str
    raw: bytes
    tree: Any
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """A canonical document among the cases: what it writes is expected; or why it cannot be."""

    name: str
    document: dict[str, Any]
    fault: str = ""


def read_cases(
    pack: Pack, packs: Packs, *, refused: bool = False
) -> Iterator[tuple[Case, Map | None]]:
    """The case files of a pack, or those to be `refused`, each with the map that takes it.

    A file named ``map@anything``, or one in a folder named after a map, is for that map, whatever
    its kind says.
    """
    folder = pack.file("cases", "refused") if refused else pack.file("cases")
    formats = {
        each.suffix: each for each in packs.formats.values() if each.name in _lefts(packs, pack)
    }
    for name, entry in _files(folder, pack):
        suffix = "." + name.rpartition(".")[2]
        if suffix not in formats or name.endswith(WRITTEN):
            continue
        source = formats[suffix]
        raw = entry.read_bytes()
        try:
            tree = source.parse(raw)
        except DataError as error:
            yield Case(name, raw, None, error.message), None
            continue
        named = _named(packs, pack, name)
        if named is not None:
            yield Case(name, raw, tree), named
            continue
        try:
            yield Case(name, raw, tree), packs.pick(source.name, tree)
        except NoMapError:
            yield Case(name, raw, tree), None


def _files(folder: Traversable, pack: Pack) -> Iterator[tuple[str, Traversable]]:
    """The files of a folder, and, as ``map@file``, those of its folders named after maps."""
    for entry in sorted(folder.iterdir(), key=lambda e: e.name) if folder.is_dir() else ():
        if entry.is_file():
            yield entry.name, entry
        elif entry.name in pack.tables:
            for each in sorted(entry.iterdir(), key=lambda e: e.name):
                if each.is_file():
                    yield f"{entry.name}@{each.name}", each


def read_documents(pack: Pack, packs: Packs) -> Iterator[tuple[Written, Map]]:
    """The documents among the cases, ``map@anything.referral.json``, each with its map."""
    import orjson

    for name, entry in _files(pack.file("cases"), pack):
        mapping = _named(packs, pack, name) if name.endswith(WRITTEN) else None
        if mapping is not None:
            try:
                document, fault = orjson.loads(entry.read_bytes()), ""
            except orjson.JSONDecodeError:
                document, fault = {}, "this is no JSON"
            yield Written(name, document, fault), mapping


def _named(packs: Packs, pack: Pack, name: str) -> Map | None:
    wanted, mark, _ = name.partition("@")
    if not mark:
        return None
    return next((m for m in packs.maps if m.pack == pack.name and m.name == wanted), None)


def _lefts(packs: Packs, pack: Pack) -> set[str]:
    return {each.left_format.name for each in packs.maps if each.pack == pack.name}
