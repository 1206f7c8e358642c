"""A bound table into Python source, for one direction.

The source is one function ``convert(tree, env)``. Reading opens each path step by step under a
guard, and rows that share the beginning of a path share those guards. Writing collects values in
one variable for each object or list of the target, and attaches the filled ones at the end of their
block, so that nothing empty is ever written. No step of this happens for each message.

With `trace`, the source also records which row wrote which place from which place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

from adapter.mapping.bound import BoundBlock, BoundRow, Condition, Path, Steps
from adapter.mapping.building import Building
from adapter.mapping.guards import ROOT, Scope
from adapter.mapping.table import Const, Lost, Same
from adapter.plugin.formats import Codec, DomainError, Frame, Node, Step

_emitting = Lock()


@dataclass(frozen=True, slots=True)
class Source:
    """Generated source: its text, the row of each line, and the objects that it names."""

    text: str
    rows: Mapping[int, int]
    names: Mapping[str, Any]


class Emitter(Building):
    """Writes the source of one direction of one map."""

    def emit(self) -> Source:
        """The whole function. One at a time: notations keep what a map asks them while it lasts.

        It is written twice: the first time tells what is read from each value, so that a list
        that many selectors look at can be sorted for all of them at once.
        """
        with _emitting:
            if not self.trace:
                first = type(self)(self.bound, self.to_right, self.trace)
                first._emitted()
                self.before = first.frames
            return self._emitted()

    def _emitted(self) -> Source:
        root = Node(ROOT, None, var="out")
        scope = Scope(self.frame("root"), root, self.indent)
        self.put(*self.source.begin_read(self.trace), *self.target.begin_write(self.trace))
        self.body(scope, self.bound.rows)
        self.current = 0
        self.put(*self.target.finish(self.trace), "return result")
        text = "def convert(tree, env):\n" + "\n".join(self.lines) + "\n"
        names = {**self.source.runtime(), **self.target.runtime(), **self.names}
        return Source(text, self.rows, names)

    def body(self, scope: Scope, entries: tuple[BoundRow | BoundBlock, ...]) -> None:
        """One scope: what it builds, its rows, and its end."""
        self.plan(scope, entries, scope.node)
        self.declare(scope, scope.node)
        unset = [*scope.unset, *scope.noted]
        if unset:
            self.put(f"{' = '.join(unset)} = None")
        self.entries(scope, entries)
        self.pop_to(scope, 0)
        self.close(scope, scope.node)

    def entries(self, scope: Scope, entries: tuple[BoundRow | BoundBlock, ...]) -> None:
        """Rows and blocks in order."""
        for entry in entries:
            self.current = entry.number
            if isinstance(entry, BoundRow):
                self.row(scope, entry, ())
            else:
                self.block(scope, entry)

    def row(self, scope: Scope, row: BoundRow, prefix: Steps) -> None:
        """One row."""
        source, target = self.ends(row)
        if isinstance(target, Lost) and isinstance(source, Path):
            if self.trace and self.active(row):
                frame = self.open(scope, self.with_when(scope, row, source))
                self.put(f"K({row.number}, {frame.var}_w)")
            return
        if self.trace and not self.active(row):
            self.restated(scope, row)
        if not self.active(row) or not isinstance(target, Path):
            return
        node = self.node(scope, target)
        if isinstance(source, Const | Same):
            condition = row.when.left if self.to_right else row.when.right
            if condition is not None:
                self.noted(scope, f"w_{row.number}", condition)
            return
        steps = self.with_when(scope, row, source)
        frame = self.open(scope, steps)
        self.write(scope, row, node, frame)
        if row.source.default is not None and self.to_right:
            self.default(scope, row, node, source)

    def noted(self, scope: Scope, name: str, condition: Condition) -> None:
        """Read the value that a constant's condition is about, among the guards that stand."""
        self.conditions[name] = condition
        frame = self.open(scope, condition.path.rel, rooted=condition.path.rooted)
        self.put(f"{name} = {frame.var}")

    def write(self, scope: Scope, row: BoundRow, node: Node, frame: Frame) -> None:
        """The statements that carry one value."""
        codec = row.codec
        template = codec.read_source if self.to_right else codec.write_source
        lines: list[str] = []
        if template is not None:
            value = template.format(v=frame.var)
            sure = codec.always or not self.to_right
        else:
            value = f"{self.named(codec, row)}({frame.var}, env)"
            sure = False
        var = frame.var
        if not sure or self.trace or row.source.fallback:
            var = self.borrow("v")
            self.give_back(var)  # no other value is carried before this one is
            lines.append(f"{var} = {value}")
            value = var
        done = [self.target.assign(node, value)]
        if self.trace:
            spot = self.target.spot(node)
            done.append(f"T({row.number}, {frame.var}_w, {frame.var}, {spot}, {var})")
        guards = []
        if not sure:
            guards.append(f"{var} is not None")
        if row.source.fallback:
            guards.append(self.target.absent(node))
        if row.source.absent is not None and self.to_right:
            guards.insert(0, f"{frame.var} != {row.source.absent!r}")
            if self.trace:
                again = f"R({row.number}, {frame.var}_w, {frame.var}, {row.source.absent!r})"
                self.put(f"if {frame.var} == {row.source.absent!r}: {again}")
        if guards:
            done = [f"if {' and '.join(guards)}:", *("    " + line for line in done)]
        lines.extend(done)
        if row.source.otherwise != "refuse":
            lines = ["try:", *("    " + line for line in lines), "except DomainError as e_:"]
            if row.source.otherwise == "report":
                where = f", {frame.var}_w" if self.trace else ""
                lines.append(f"    env.report({row.number}, e_{where})")
            else:
                lines.append("    pass")
            self.names["DomainError"] = DomainError
        self.put(*lines)

    def named(self, codec: Codec, row: BoundRow) -> str:
        """The name under which the source calls a codec."""
        name = f"c{id(codec)}_{'r' if self.to_right else 'w'}"
        self.names[name] = codec.read if self.to_right else codec.write
        return name

    def default(self, scope: Scope, row: BoundRow, node: Node, source: Path) -> None:
        """A default stands where the block runs and the left has no value."""
        self.open(scope, self.block_prefix)
        lines = [self.target.assign(node, repr(row.source.default))]
        if self.trace:
            lines.append(f"C({row.number}, {self.target.spot(node)})")
        self.put(f"if {self.target.absent(node)}:", *("    " + line for line in lines))

    def restated(self, scope: Scope, row: BoundRow) -> None:
        """When tracing: what a row of the other direction would write again counts as carried."""
        source, target = self.ends(row)
        if not isinstance(source, Path) or isinstance(target, Lost):
            return
        frame = self.open(scope, source.rel)
        if isinstance(target, Path):
            self.put(f"B({row.number}, {frame.var}_w)")
        else:
            expected = repr(target.value) if isinstance(target, Const) else "None"
            self.put(f"R({row.number}, {frame.var}_w, {frame.var}, {expected})")

    def block(self, scope: Scope, block: BoundBlock) -> None:
        """A block: its guards once, then its rows."""
        if not self.active(block):
            return
        source, target = self.ends(block)
        if block.source.kind == "each":
            self.each(scope, block, source, target)
            return
        node = self.node(scope, target)
        steps = self.with_when(scope, block, source)
        if block.inherits is not None and self.to_right:
            steps = (*steps[:-1], self.not_inherited(scope, block), steps[-1])
        saved, self.block_prefix = self.block_prefix, steps
        self.open(scope, steps)
        inner = tuple(self.prefixed(entry, source, steps) for entry in block.rows)
        self.entries(scope, inner)
        self.block_prefix = saved
        if not self.to_right and self.target.closes(node.step):
            self.pop_to(scope, 0)
            self.close(scope, node)
            self.attach(node)
            if block.inherits is not None:
                self.inherit(block, node)

    def prefixed(
        self, entry: BoundRow | BoundBlock, source: Path, steps: Steps
    ) -> BoundRow | BoundBlock:
        """The entry with the guards of its block (its `when`, mostly) in its source path."""
        return (
            entry if steps == source.rel else _with_prefix(entry, source.rel, steps, self.to_right)
        )

    def inherit(self, block: BoundBlock, node: Node) -> None:
        """Write the reference of another place where the block wrote nothing."""
        assert block.inherits is not None
        other = self.known.get(block.inherits.full)
        if other is None and block.inherits.full[-1].kind == "index":
            other = self.known.get(block.inherits.full[:-1])
        if other is not None and node.parent is not None:
            self.put(f"if not {self.target.filled(node)}:")
            self.indent += 1
            self.put(*self.target.same(node.parent, other))
            if self.trace:
                self.put(f"    C({block.number}, {self.target.spot(node.parent)})")
            self.indent -= 1

    def not_inherited(self, scope: Scope, block: BoundBlock) -> Step:
        """The guard that keeps out what only repeats another reference."""
        assert block.inherits is not None
        name = self.fresh("h")
        self.pop_to(scope, 0)
        self.put(f"{name} = None")
        frame = self.open(scope, block.inherits.rel, rooted=True)
        self.put(f"{name} = {frame.var}")
        self.pop_to(scope, 0)
        return Step("/differs", name)

    def each(self, scope: Scope, block: BoundBlock, source: Path, target: Path) -> None:
        """A loop."""
        steps = self.with_when(scope, block, source)
        parent = self.open(scope, steps[:-1], rooted=source.rooted)
        item = self.node(scope, target)
        out = self.borrow("i")
        parent.asked.append(steps[-1])
        access = self.source.loop(steps[-1], parent, out, self.trace)
        if self.of_one_loop(item.parent):
            assert item.parent is not None
            self.put(*self.target.declare(item.parent))
        self.put(*access.setup, access.guard)
        self.indent += 1
        self.put(*access.inside)
        if self.trace:
            self.put(f"{out}_w = {access.where}", *self.used(access))
        saved, self.block_prefix = self.block_prefix, ()
        inner = Scope(self.frame(out), item, self.indent)
        fresh = Node(item.step, item.parent, item.var)
        self.writers[id(fresh)] = block.number
        self.alive.append(fresh)
        inner.node = fresh
        self.current = block.number
        self.body(inner, block.rows)
        self.block_prefix = saved
        self.leave()
        self.give_back(out)


def _with_prefix(
    entry: BoundRow | BoundBlock, old: Steps, new: Steps, to_right: bool
) -> BoundRow | BoundBlock:
    side = "left" if to_right else "right"
    path = getattr(entry, side)
    if isinstance(path, Path) and not path.rooted and path.rel[: len(old)] == old:
        path = replace(path, rel=new + path.rel[len(old) :])
        entry = replace(entry, left=path) if to_right else replace(entry, right=path)
    if isinstance(entry, BoundBlock) and entry.source.kind == "with":
        rows = tuple(_with_prefix(each, old, new, to_right) for each in entry.rows)
        entry = replace(entry, rows=rows)
    return entry
