"""Table files: YAML into rows, every one with its line and column, or a list of faults.

The file is read as YAML nodes, not as Python values, so that paths stay text (`.1` is a component,
not a number) and every fault has its place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import yaml

from adapter.mapping.table import (
    ARROWS,
    Arrow,
    Block,
    Const,
    End,
    Entry,
    Fault,
    Lost,
    MapTable,
    Place,
    Row,
    Same,
    TableError,
    When,
    Where,
)
from adapter.mapping.yaml_nodes import nodes_of

_ROW_FIX = "write - [left, arrow, right], then a codec, then options, on one line"
_OPTIONS = ("loses", "default", "fallback", "when", "else", "absent")
_BLOCK_KEYS = ("rows", "when", "loses", "inherits")


class _Reader:
    def __init__(self, file: str, pack: str) -> None:
        self.file = file
        self.pack = pack
        self.faults: list[Fault] = []
        self.shapes: dict[str, yaml.SequenceNode] = {}
        self.names: dict[str, str] = {}

    def where(self, node: yaml.Node) -> Where:
        return Where(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def fault(self, node: yaml.Node, message: str, fix: str, code: str = "yaml") -> None:
        self.faults.append(Fault(self.where(node), code, message, fix))

    def named(self, text: str) -> str:
        """Text with `$name` replaced by what the map's `names` say."""
        if "$" not in text:
            return text
        for name, value in self.names.items():
            text = text.replace(f"${name}", value)
        return text

    # -- maps -------------------------------------------------------------------------------

    def map(self, node: yaml.Node) -> MapTable | None:
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, "a map is a set of keys", "begin with map: name")
            return None
        keys = self._keys(node)
        names = keys.get("names")
        if isinstance(names, yaml.MappingNode):
            self.names.update({k: str(v.value) for k, v in self._keys(names).items()})
        shapes = keys.get("shapes")
        if isinstance(shapes, yaml.MappingNode):
            for shape, entries in self._keys(shapes).items():
                if isinstance(entries, yaml.SequenceNode):
                    self.shapes[shape] = entries
        name = keys.get("map")
        if name is None:
            self.fault(node, "the map has no name", "begin with map: name")
            return None
        rows = keys.get("rows")
        extends = keys.get("extends")
        for key in keys.keys() - _MAP_KEYS:
            self.fault(keys[key], f"{key} is no key of a map", f"use {', '.join(_MAP_KEYS)}")
        for side in ("left", "right"):
            if side not in keys and extends is None:
                self.fault(node, f"the map has no {side}", f"add {side}: {{format: …}}")
        drop = keys.get("drop")
        return MapTable(
            name=str(_plain(name)),
            pack=self.pack,
            where=self.where(name),
            left=self._side(keys.get("left")),
            left_where=self.where(keys["left"]) if "left" in keys else None,
            right=self._side(keys.get("right")),
            rows=self._entries(rows) if rows is not None else (),
            dialect=_text(keys.get("dialect")),
            detect=_text(keys.get("detect")),
            extends=_text(extends),
            extends_where=self.where(extends) if extends is not None else None,
            drop=tuple(Place(each.value, self.where(each)) for each in drop.value)
            if isinstance(drop, yaml.SequenceNode)
            else (),
            title=_text(keys.get("title")) or "",
        )

    def _side(self, node: yaml.Node | None) -> dict[str, Any]:
        plain = _plain(node) if node is not None else {}
        if isinstance(plain, dict):
            return plain
        if node is not None:
            self.fault(node, "a side is {format: …, message: …}", "write {format: hl7v2}")
        return {}

    def _keys(self, node: yaml.MappingNode) -> dict[str, yaml.Node]:
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.fault(key, "a key is a word", "write key: value")
                continue
            if key.value in found:
                self.fault(key, f"{key.value} stands twice", "keep one")
            found[key.value] = value
        return found

    # -- rows -------------------------------------------------------------------------------

    def _entries(self, node: yaml.Node) -> tuple[Entry, ...]:
        if not isinstance(node, yaml.SequenceNode):
            self.fault(node, "rows are a list", _ROW_FIX)
            return ()
        entries: list[Entry] = []
        for each in node.value:
            if isinstance(each, yaml.SequenceNode):
                row = self._row(each)
                if row is not None:
                    entries.append(row)
            elif isinstance(each, yaml.MappingNode):
                entries.extend(self._block(each))
            else:
                self.fault(each, "this is neither a row nor a block", _ROW_FIX)
        return tuple(entries)

    def _row(self, node: yaml.SequenceNode) -> Row | None:
        head = self._head(node)
        if head is None:
            return None
        left, arrow, right, codec, options = head
        wanted = _only_arrow(left, right)
        if wanted is not None and arrow != wanted:
            self.fault(
                node.value[1], "a constant or a loss has one direction", f"write {wanted}", "arrow"
            )
            return None
        for key in options.keys() - _OPTIONS:
            self.fault(options[key], f"{key} is no option", f"use {', '.join(_OPTIONS)}")
        otherwise = _text(options.get("else")) or "refuse"
        if otherwise not in ("refuse", "report", "skip"):
            self.fault(options["else"], "else is refuse, report or skip", "choose one of them")
        default, absent = options.get("default"), options.get("absent")
        return Row(
            left=left,
            arrow=arrow,
            right=right,
            where=self.where(node),
            pack=self.pack,
            codec=codec.value if codec is not None else None,
            codec_where=self.where(codec) if codec is not None else None,
            loses=_text(options.get("loses")) or "",
            default=_plain(default) if default is not None else None,
            absent=_plain(absent) if absent is not None else None,
            fallback=_plain(options["fallback"]) is True if "fallback" in options else False,
            when=self._when(options.get("when")),
            otherwise=cast(Any, otherwise),
        )

    def _block(self, node: yaml.MappingNode) -> tuple[Entry, ...]:
        keys = self._keys(node)
        if "use" in keys:
            name = str(_plain(keys["use"]))
            if name not in self.shapes:
                self.fault(keys["use"], f"there is no shape {name}", "add it under shapes:")
                return ()
            return self._entries(self.shapes[name])
        kind = "each" if "each" in keys else "with" if "with" in keys else None
        head = self._head(keys[kind]) if kind else None
        if kind is None or head is None:
            if kind is None:
                self.fault(node, "a block is each: or with:", _ROW_FIX)
            return ()
        for key in keys.keys() - {*_BLOCK_KEYS, kind}:
            self.fault(keys[key], f"{key} is no key of a block", f"use {', '.join(_BLOCK_KEYS)}")
        left, arrow, right, codec, options = head
        if not isinstance(left, Place) or not isinstance(right, Place):
            self.fault(node, "a block joins two paths", "put const and lost into its rows")
            return ()
        rows = self._entries(keys["rows"]) if "rows" in keys else ()
        inherits = keys.get("inherits")
        where = self.where(keys[kind])
        if codec is not None:
            dot_left, dot_right = Place(".", left.where), Place(".", right.where)
            row = Row(dot_left, arrow, dot_right, where, self.pack, codec.value, self.where(codec))
            otherwise = _text(options.get("else"))
            if otherwise in ("refuse", "report", "skip"):
                row = replace(row, otherwise=cast(Any, otherwise))
            loses = _text(options.get("loses") or keys.get("loses")) or ""
            row = replace(row, loses=loses)
            rows = (*rows, row)
        return (
            Block(
                kind=cast(Any, kind),
                left=left,
                arrow=arrow,
                right=right,
                where=where,
                rows=rows,
                pack=self.pack,
                loses=_text(options.get("loses") or keys.get("loses")) or "",
                when=self._when(keys.get("when") or options.get("when")),
                inherits=Place(inherits.value, self.where(inherits))
                if isinstance(inherits, yaml.ScalarNode)
                else None,
            ),
        )

    def _head(
        self, node: yaml.Node
    ) -> tuple[End, Arrow, End, yaml.ScalarNode | None, dict[str, yaml.Node]] | None:
        if not isinstance(node, yaml.SequenceNode) or len(node.value) < 3:
            self.fault(node, "a row has left, arrow and right", _ROW_FIX)
            return None
        left, right = self._end(node.value[0]), self._end(node.value[2])
        arrow = node.value[1].value
        if arrow not in ARROWS:
            self.fault(node.value[1], "this is no arrow", "use <->, -> or <-", "arrow")
            return None
        if left is None or right is None:
            return None
        codec: yaml.ScalarNode | None = None
        options: dict[str, yaml.Node] = {}
        for each in node.value[3:]:
            if isinstance(each, yaml.MappingNode):
                options.update(self._keys(each))
            elif isinstance(each, yaml.ScalarNode) and codec is None:
                codec = each
            else:
                self.fault(each, "a row has one codec", _ROW_FIX)
        return left, cast(Arrow, arrow), right, codec, options

    def _end(self, node: yaml.Node) -> End | None:
        where = self.where(node)
        if isinstance(node, yaml.ScalarNode):
            if node.style in ("'", '"'):
                where = Where(where.file, where.line, where.column + 1)
            return Place(self.named(node.value), where)
        if isinstance(node, yaml.MappingNode) and len(node.value) == 1:
            key, value = node.value[0]
            if key.value == "const":
                plain = _plain(value)
                return Const(self.named(plain) if isinstance(plain, str) else plain, where)
            if key.value == "same":
                return Same(str(value.value), where)
            if key.value == "lost":
                return Lost(str(value.value), where)
        self.fault(node, "this is no path", "write a path, {const: …}, {same: …} or {lost: …}")
        return None

    def _when(self, node: yaml.Node | None) -> When:
        if node is None:
            return When()
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, "when is {left: condition, right: condition}", "name the side")
            return When()
        keys = self._keys(node)
        for key in keys.keys() - {"left", "right"}:
            self.fault(keys[key], f"{key} is no side", "use left and right")
        left, right = (_text(keys.get(side)) for side in ("left", "right"))
        return When(left and self.named(left), right and self.named(right))


_MAP_KEYS = (
    "map",
    "left",
    "right",
    "rows",
    "shapes",
    "names",
    "dialect",
    "detect",
    "extends",
    "drop",
    "title",
)


def _only_arrow(left: End, right: End) -> str | None:
    """The one arrow that fits a row with a constant, a loss or the same as elsewhere."""
    if isinstance(left, Place) and isinstance(right, Place):
        return None
    if isinstance(left, Lost) or isinstance(right, Const | Same):
        return "<-"
    return "->"


def _text(node: yaml.Node | None) -> str | None:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else None


def _plain(node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        if not node.style and node.tag == "tag:yaml.org,2002:bool":
            return node.value.lower() in ("true", "yes", "on")
        if not node.style and node.tag == "tag:yaml.org,2002:int":
            return int(node.value) if node.value.lstrip("-").isdigit() else node.value
        if node.tag == "tag:yaml.org,2002:null":
            return None
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each) for each in node.value]
    return {str(key.value): _plain(value) for key, value in node.value}


def read_tables(text: str, file: str, pack: str) -> list[MapTable]:
    """The maps of one file (several are separated by ``---``).

    Raises:
        TableError: with every fault of the file.
    """
    reader = _Reader(file, pack)
    nodes = nodes_of(text, file)
    tables = [table for node in nodes if (table := reader.map(node)) is not None]
    if not nodes:
        where = Where(file, 1, 1)
        reader.faults.append(Fault(where, "yaml", "the file holds no map", "begin with map: name"))
    if reader.faults:
        raise TableError(reader.faults)
    return tables
