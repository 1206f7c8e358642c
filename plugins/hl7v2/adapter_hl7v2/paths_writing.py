"""Writing HL7 v2 paths in emitted source: values by number, joined when a segment is complete.

A segment is a list as long as the map's highest field needs it, and so is a field whose components
are written one by one; position 0 is free. A segment that rows write only one value of ("lone") is
that value, and becomes a list when there is one: most of the OBX of a map do not occur.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter.plugin.formats import Node, PathError, Step
from adapter_hl7v2 import er7


class Er7Writing:
    """How each place of a message is built; see `adapter.plugin.formats.Notation`."""

    traced: bool
    sizes: set[int]
    rank: Mapping[str, int]

    def begin_write(self, trace: bool) -> Sequence[str]:
        """The root is a list of segments."""
        self.traced = trace
        return ("out = []", "quote = env.encoding.quote")

    def shape(self, node: Node) -> None:
        """See `Notation.shape`."""
        kind = node.step.kind
        if node.parent is None:
            node.shape = "message"
        elif kind in ("seg", "kid"):
            node.shape = "segment" if self.traced or _only_field(node) is None else "lone"
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
        if node.shape == "lone":
            return (f"{node.var} = ''",)
        size = _size(node)
        self.sizes.add(size)
        lines = [f"{node.var} = {[''] * size!r}"]
        if node.shape == "segment" and any(step.kind == "kid" for step in node.children):
            lines.append(f"{node.var}_k = []")
        return lines

    def filled(self, node: Node) -> str:
        """See `Notation.filled`."""
        if node.shape == "single":
            return "False"
        if node.shape not in ("segment", "parts"):
            return node.var
        found = f"{node.var} != B{_size(node)}"  # half the time of joining them
        if node.shape == "segment" and any(step.kind == "kid" for step in node.children):
            return f"({found} or {node.var}_k)"
        return f"({found})"

    def absent(self, node: Node) -> str:
        """See `Notation.absent`."""
        container, key = self._container(node)
        lone = key is None or _is_lone(node)
        return f"not {container}" if lone else f"not {container}[{key}]"

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
        if _is_lone(node):
            return f"{container} = {value}"
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
        if node.shape in ("segment", "lone"):
            return self._attach_segment(node)
        lines = list(_filled_in(node)) if node.shape == "parts" else []
        mark = "&" if node.step.kind == "comp" else "^"
        parts = f"'{mark}'.join({node.var})[1:].rstrip('{mark}')"  # the first is at position 1
        lines.append(self.assign(node, f"'~'.join({node.var})" if node.shape == "list" else parts))
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
        segment = node.var
        if node.shape == "lone":
            values = [""] * _size(node)
            for field, parts in fields.items():
                values[field] = er7.fill("", parts)
            segment = _lone_segment(values, _only_field(node) or 0, node)
            fields = {}
        for field, parts in fields.items():
            plain = er7.fill("", parts)
            spot = f"{node.var}[{field}]"
            lines.append(f"{spot} = fill({spot}, {tuple(parts)!r}) if {spot} else {plain!r}")
        assert node.parent is not None
        kids = any(step.kind == "kid" for step in node.children)
        rank = self.rank.get(str(node.step.key), len(self.rank))
        entry = f"({rank}, {node.step.key!r}, {segment}, {node.var + '_k' if kids else '()'})"
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
        return (f"result = build(out, env, {trace})",)


def _lone_segment(values: list[str], only: int, node: Node) -> str:
    """The expression of a segment of one written field among what its selector says.

    A numbered one is the text of all that follows its number: nothing is left to be joined.
    """
    if node.step.key in er7.NUMBERED and only > 1 and not values[1]:
        before = "".join(f"{value}|" for value in values[2:only])
        after = "".join(f"|{value}" for value in values[only + 1 :]).rstrip("|")
        return " + ".join(
            [*([repr(before)] if before else ()), node.var, *([repr(after)] if after else ())]
        )
    parts = [repr(value) for value in values]
    parts[only] = node.var
    return f"[{', '.join(parts)}]"


def _filled_in(node: Node) -> list[str]:
    lines = []
    for match in node.step.match:
        if not match.negated:
            key = match.path[0]
            lines.append(f"if not {node.var}[{key}]: {node.var}[{key}] = {match.values[0]!r}")
    return lines


def _size(node: Node) -> int:
    """The length of the list of a segment, or of a field (or component) with parts."""
    written = {int(step.key or 0) for step in node.children if step.kind != "kid"}
    return max(written | _matched(node) | {1}) + 1


def _matched(node: Node) -> set[int]:
    """The numbers that the selector of a segment writes."""
    return {int(match.path[0]) for match in node.step.match if not match.negated}


def _only_field(node: Node) -> int | None:
    """The number of the field if rows write one value into this segment, and no more."""
    if len(node.children) != 1:
        return None
    ((step, field),) = node.children.items()
    whole = list(field.children) == [Step("rep", 0)] and not field.children[Step("rep", 0)].children
    number = int(step.key or 0)
    return number if step.kind == "field" and whole and number not in _matched(node) else None


def _is_lone(node: Node) -> bool:
    """Whether a repetition is all that stands in its segment."""
    field = node.parent
    segment = field.parent if field is not None else None
    return segment is not None and segment.shape == "lone"
