"""Writing HL7 v2 paths in emitted source: values by number, joined when a segment is complete.

A segment is a list as long as the map's highest field needs it, and so is a field whose components
are written one by one; position 0 is free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter.plugin.formats import Node, PathError, Step
from adapter_hl7v2 import er7


class Er7Writing:
    """How each place of a message is built; see `adapter.plugin.formats.Notation`."""

    def begin_write(self, trace: bool) -> Sequence[str]:
        """The root is a list of segments."""
        return ("out = []", "quote = env.encoding.quote")

    def shape(self, node: Node) -> None:
        """See `Notation.shape`."""
        kind = node.step.kind
        if node.parent is None:
            node.shape = "message"
        elif kind in ("seg", "kid"):
            node.shape = "segment"
        elif kind == "field":
            only = list(node.children) == [Step("rep", 0)]
            node.shape = "single" if only else "list"
        else:
            node.shape = "parts" if node.children else "value"

    def declare(self, node: Node) -> Sequence[str]:
        """See `Notation.declare`."""
        if node.shape == "single":
            return ()
        if node.shape == "list":
            return (f"{node.var} = []",)
        lines = [f"{node.var} = {_blank(node)}"]
        if node.shape == "segment" and any(step.kind == "kid" for step in node.children):
            lines.append(f"{node.var}_k = []")
        return lines

    def filled(self, node: Node) -> str:
        """See `Notation.filled`."""
        if node.shape == "single":
            return "False"
        if node.shape not in ("segment", "parts"):
            return node.var
        found = f"''.join({node.var})"
        if node.shape == "segment" and any(step.kind == "kid" for step in node.children):
            return f"({found} or {node.var}_k)"
        return found

    def absent(self, node: Node) -> str:
        """See `Notation.absent`."""
        container, key = self._container(node)
        return f"not {container}[{key}]" if key is not None else f"not {container}"

    def _container(self, node: Node) -> tuple[str, int | None]:
        """The variable that holds a node's value, and its number there (None: it is appended)."""
        up = node.parent
        assert up is not None
        if node.step.kind in ("rep", "reps"):
            if up.shape == "single":
                assert up.parent is not None
                return up.parent.var, int(up.step.key or 0)
            return up.var, None
        return up.var, int(node.step.key or 0)

    def assign(self, node: Node, value: str) -> str:
        """See `Notation.assign`."""
        container, key = self._container(node)
        return f"{container}.append({value})" if key is None else f"{container}[{key}] = {value}"

    def spot(self, node: Node) -> str:
        """See `Notation.spot`."""
        container, key = self._container(node)
        return f"{container}, len({container}) - 1" if key is None else f"{container}, {key}"

    def around(self, node: Node, value: str) -> str | None:
        """See `Notation.around`: parts are joined, one after the other."""
        return None

    def attach(self, node: Node, trace: bool, within: Sequence[Node] = ()) -> Sequence[str]:
        """See `Notation.attach`."""
        if node.shape == "single":
            return ()
        if node.shape == "segment":
            return self._attach_segment(node)
        lines = list(_filled_in(node)) if node.shape == "parts" else []
        joined = {"list": "reps", "parts": "comps"}[node.shape]
        mark = ", '&'" if node.step.kind == "comp" else ""
        lines.append(self.assign(node, f"{joined}({node.var}{mark})"))
        if trace:
            container, key = self._container(node)
            spot = (
                f"{container}, ({key}, 0)" if node.step.kind == "rep" and key else self.spot(node)
            )
            lines.append(f"L({node.var}, {spot})")
        return lines

    def _attach_segment(self, node: Node) -> list[str]:
        lines = []
        fields: dict[int, list[tuple[int, str]]] = {}
        for match in node.step.match:
            if not match.negated:
                field, comp = match.path[0], match.path[1] if len(match.path) > 1 else 1
                fields.setdefault(int(field), []).append((int(comp), match.values[0]))
        for field, parts in fields.items():
            plain = er7.fill("", parts)
            spot = f"{node.var}[{field}]"
            lines.append(f"{spot} = fill({spot}, {tuple(parts)!r}) if {spot} else {plain!r}")
        assert node.parent is not None
        kids = any(step.kind == "kid" for step in node.children)
        entry = f"({node.step.key!r}, {node.var}, {node.var + '_k' if kids else '()'})"
        into = f"{node.parent.var}_k" if node.step.kind == "kid" else node.parent.var
        return [*lines, f"{into}.append({entry})"]

    def stated(self, node: Node) -> Sequence[str]:
        """See `Notation.stated`."""
        fields = {match.path[0] for match in node.step.match if not match.negated}
        return [f"{node.var}, {field}" for field in sorted(int(f) for f in fields)]

    def same(self, node: Node, source: Node) -> Sequence[str]:
        """HL7 v2 has no references."""
        raise PathError("HL7 v2 has no references", fix="use a path or a const")

    def closes(self, step: Step) -> bool:
        """Segments of a block come in the order of the blocks."""
        return step.kind in ("seg", "kid")

    def order(self, nodes: Sequence[Node]) -> Sequence[Node]:
        """Repetitions with a number come in that order."""
        return sorted(nodes, key=lambda n: int(n.step.key or 0) if n.step.kind == "rep" else -1)

    def part(self, value: str, where: tuple[int, ...]) -> str | None:
        """See `Notation.part`."""
        return er7.inner(value, where) or None

    def without(self, value: str, where: tuple[int, ...]) -> str:
        """See `Notation.without`."""
        return er7.emptied(value, where)

    def places(self, env: Any, result: Any) -> Mapping[int, tuple[Any, ...]]:
        """See `Notation.places`."""
        return {id(fields): (number,) for number, (fields, _) in enumerate(env.placed)}

    def finish(self, trace: bool) -> Sequence[str]:
        """The message, its segments in the order of the structure."""
        return (f"result = build(out, RANK, env, {trace})",)


def _filled_in(node: Node) -> list[str]:
    lines = []
    for match in node.step.match:
        if not match.negated:
            key = match.path[0]
            lines.append(f"if not {node.var}[{key}]: {node.var}[{key}] = {match.values[0]!r}")
    return lines


def _blank(node: Node) -> str:
    """The empty list of a segment, or of a field (or component) with parts."""
    written = {int(step.key or 0) for step in node.children if step.kind != "kid"}
    matched = {int(match.path[0]) for match in node.step.match if not match.negated}
    return repr([""] * (max(written | matched | {1}) + 1))
