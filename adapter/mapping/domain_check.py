"""What can be wrong with a pack's `domain.yaml`: a promise that nobody could test is no promise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import yaml

from adapter.mapping.domain import read_domain, split_name
from adapter.mapping.pack_files import text_of
from adapter.mapping.packs import Pack, resolved
from adapter.mapping.samples import VALUE_KINDS
from adapter.mapping.table import Fault, TableError, Where
from adapter.mapping.yaml_nodes import nodes_of
from adapter.plugin.formats import Format, Notation, PathError

_MERGE = "<<"


def check_domain(
    pack: Pack, packs: Mapping[str, Pack], formats: Mapping[str, Format]
) -> list[Fault]:
    """Every fault of a pack's domain: maps, places and kinds of values that there are not."""
    file = pack.file("domain.yaml")
    if not file.is_file():
        return []
    try:
        nodes = nodes_of(text_of(file), str(file))
        read_domain(pack)
    except TableError as error:
        return error.faults
    return list(_Domain(str(file), pack, packs, formats).faults(nodes[0])) if nodes else []


class _Domain:
    def __init__(
        self, file: str, pack: Pack, packs: Mapping[str, Pack], formats: Mapping[str, Format]
    ) -> None:
        self.file = file
        self.pack = pack
        self.packs = packs
        self.formats = formats

    def fault(self, node: yaml.Node, message: str, fix: str) -> Fault:
        where = Where(self.file, node.start_mark.line + 1, node.start_mark.column + 1)
        return Fault(where, "domain", message, fix)

    def faults(self, root: yaml.Node) -> Iterator[Fault]:
        maps = next((value for key, value in _pairs(root) if key.value == "maps"), None)
        for key, spec in _pairs(maps) if maps is not None else ():
            if key.value not in self.pack.tables:
                names = ", ".join(sorted(self.pack.tables)) or "no map"
                yield self.fault(key, f"the pack has no map {key.value}", f"it has {names}")
                continue
            notation = self._notation(key.value)
            for name, value in _pairs(spec):
                if name.value == "carries" and notation is not None:
                    yield from self._places(value, "", notation)
                elif name.value not in ("kind", "carries"):
                    yield self.fault(name, f"{name.value} is no key here", "use kind, carries")

    def _notation(self, name: str) -> Notation | None:
        """The right-hand paths of a map; None where its own faults leave it without."""
        try:
            right = resolved(self.pack.tables[name], self.packs).right
        except TableError:
            return None
        found = self.formats.get(str(right.get("format")))
        return found.notation(right) if found is not None else None

    def _places(self, node: yaml.Node, under: str, notation: Notation) -> Iterator[Fault]:
        for key, value in _pairs(node):
            try:
                path = under + _path(key.value)
                notation.element(notation.parse(path))
            except PathError as error:
                yield self.fault(key, f"{key.value}: {error.message}", error.fix)
                continue
            except ValueError:
                yield self.fault(key, f"{key.value} is no name", "write name, name[] or name[n]")
                continue
            if isinstance(value, yaml.MappingNode):
                yield from self._places(value, f"{path}.", notation)
            elif isinstance(value, yaml.ScalarNode) and value.value not in VALUE_KINDS:
                said = f"there is no kind of value {value.value}"
                yield self.fault(
                    value, said, f"use one of {', '.join(sorted(VALUE_KINDS))}, or a list"
                )


def _path(name: str) -> str:
    """A name of a domain as a path: one item stands for a list of any number."""
    *parents, last = name.split(".")
    key, many, index = split_name(last)
    number = "[0]" if many else f"[{index}]" if index is not None else ""
    return ".".join([*parents, key + number])


def _pairs(node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
    """The keys of a mapping with their values, those that it merges in among them."""
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        if key.value != _MERGE:
            yield key, value
        elif isinstance(value, yaml.SequenceNode):
            for each in value.value:
                yield from _pairs(each)
        else:
            yield from _pairs(value)
