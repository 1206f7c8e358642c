"""Writing JSON in emitted source: one variable for each object or list, attached when it is filled.

An object or a list that rows write one value into ("lone") is that value until it is attached:
most extensions that a map knows do not occur in a message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter.plugin.formats import Node, PathError, Step


class JsonWriting:
    """How each place of a JSON tree is built; see `adapter.plugin.formats.Notation`."""

    traced = False

    def begin_write(self, trace: bool) -> Sequence[str]:
        """The root is one object."""
        self.traced = trace
        return ("out = {}",)

    def shape(self, node: Node) -> None:
        """See `Notation.shape`."""
        if not node.children:
            node.shape = "object" if node.parent is None else "value"
        elif any(step.kind in ("index", "match", "items") for step in node.children):
            node.shape = "list"
        else:
            node.shape = "object"
        if not self.traced and _holds_one_value(node):
            node.shape = "lone"

    def declare(self, node: Node) -> Sequence[str]:
        """See `Notation.declare`."""
        if node.shape == "lone":
            return (f"{node.var} = None",)
        return (f"{node.var} = []" if node.shape == "list" else f"{node.var} = {{}}",)

    def filled(self, node: Node) -> str:
        """See `Notation.filled`."""
        return f"{node.var} is not None" if node.shape == "lone" else node.var

    def absent(self, node: Node) -> str:
        """See `Notation.absent`."""
        up = _up(node)
        if _is_lone(node):
            return f"{up} is None"
        if node.step.kind == "key":
            return f"{node.step.key!r} not in {up}"
        tests = [
            f"e.get({match.path[0]!r}) in {match.values!r}"
            for match in node.step.match
            if len(match.path) == 1 and not match.negated
        ]
        return f"not any({' and '.join(tests)} for e in {up})" if tests else f"not {up}"

    def assign(self, node: Node, value: str) -> str:
        """See `Notation.assign`."""
        if _is_lone(node):
            return f"{_up(node)} = {value}"
        if node.step.kind == "key":
            return f"{_up(node)}[{node.step.key!r}] = {value}"
        return f"{_up(node)}.append({value})"

    def spot(self, node: Node) -> str:
        """See `Notation.spot`."""
        up = _up(node)
        key = repr(node.step.key) if node.step.kind == "key" else f"len({up}) - 1"
        return f"{up}, {key}"

    def around(self, node: Node, value: str) -> str | None:
        """See `Notation.around`."""
        (inner,) = node.children
        if inner.kind != "key":
            return f"[{value}]"
        wanted = _wanted(node)
        if inner.key in wanted:
            return None
        rest = "".join(f", {key!r}: {_closed(each)!r}" for key, each in wanted.items())
        return f"{{{inner.key!r}: {value}{rest}}}"

    def attach(self, node: Node, trace: bool, within: Sequence[Node] = ()) -> Sequence[str]:
        """See `Notation.attach`."""
        lone = node.shape == "lone"
        value = self.around(node, node.var) if lone else node.var
        for outer in reversed(within):
            value = self.around(outer, value or "")
        lines = [
            *(() if lone else selected(node)),
            self.assign(within[0] if within else node, value or ""),
        ]
        if trace:
            lines.append(f"L({node.var}, {self.spot(node)})")
        return lines

    def stated(self, node: Node) -> Sequence[str]:
        """See `Notation.stated`."""
        keys = {match.path[0] for match in node.step.match if not match.negated}
        return [f"{node.var}, {key!r}" for key in sorted(keys, key=str)]

    def same(self, node: Node, source: Node) -> Sequence[str]:
        """A plain JSON tree has one place for one fact."""
        raise PathError("this format has no references", fix="use a path or a const")

    def closes(self, step: Step) -> bool:
        """No step of plain JSON is a resource of its own."""
        return False

    def order(self, nodes: Sequence[Node]) -> Sequence[Node]:
        """Items with an index come in the order of their index."""
        return sorted(nodes, key=lambda n: n.step.key if n.step.kind == "index" else -1)  # type: ignore[arg-type, return-value]

    def places(self, env: Any, result: Any) -> Mapping[int, tuple[Any, ...]]:
        """See `Notation.places`."""
        return {id(result): ()}

    def finish(self, trace: bool) -> Sequence[str]:
        """The root is the tree."""
        return ("result = out",)


def _holds_one_value(node: Node) -> bool:
    """Whether rows write one value into a node, and nothing else stands there but selectors'."""
    if node.parent is None or len(node.children) != 1:
        return False
    ((step, inner),) = node.children.items()
    if inner.children or inner.item:
        return False
    return step.kind == "index" or (step.kind == "key" and step.key not in _wanted(node))


def _is_lone(node: Node) -> bool:
    """Whether a value is all that stands in its object or list."""
    return node.parent is not None and node.parent.shape == "lone"


def _up(node: Node) -> str:
    assert node.parent is not None
    return node.parent.var


def selected(node: Node) -> list[str]:
    """Writing through a selector writes its value, unless a row has written that place."""
    return [
        f"if {key!r} not in {node.var}: {node.var}[{key!r}] = {_closed(value)!r}"
        for key, value in _wanted(node).items()
    ]


def _wanted(node: Node) -> dict[str | int, Any]:
    """What the selector of a node says of it."""
    wanted: dict[str | int, Any] = {}
    for match in node.step.match:
        if not match.negated:
            _merge(wanted, match.path, match.values[0])
    return wanted


def _merge(into: dict[str | int, Any], path: Sequence[str | int], value: str) -> None:
    for key in path[:-1]:
        into = into.setdefault(key, {})
    into[path[-1]] = value


def _closed(value: Any) -> Any:
    """Dictionaries by number become lists."""
    if not isinstance(value, dict):
        return value
    if all(isinstance(key, int) for key in value):
        return [_closed(value[key]) for key in sorted(value)]
    return {key: _closed(part) for key, part in value.items()}
