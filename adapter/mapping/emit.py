"""A bound table into Python source, for one direction.

The source is one function ``convert(tree, env)``. Reading opens each path step by step under a
guard, and rows that share the beginning of a path share those guards. Writing collects values in
one variable for each object or list of the target, and attaches the filled ones at the end of their
block, so that nothing empty is ever written. No step of this happens for each message.

With `trace`, the source also records which row wrote which place from which place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from adapter.mapping.bound import BoundBlock, BoundMap, BoundRow, Condition, Path, Steps
from adapter.mapping.table import Const, Fault, Lost, Same, TableError
from adapter.plugin.formats import Access, Codec, DomainError, Frame, Node, Notation, Step

ROOT = Step("/root")


@dataclass(frozen=True, slots=True)
class Source:
    """Generated source: its text, the row of each line, and the objects that it names."""

    text: str
    rows: Mapping[int, int]
    names: Mapping[str, Any]


@dataclass(slots=True)
class _Scope:
    """One loop body (or the whole function): what is read, what is written, which guards are open."""

    frame: Frame
    node: Node
    indent: int
    stack: list[tuple[Step, Frame, bool]] = field(default_factory=list)
    consts: dict[int, list[tuple[Node, BoundRow]]] = field(default_factory=dict)
    blocks: list[Node] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)


class Emitter:
    """Writes the source of one direction of one map."""

    def __init__(self, bound: BoundMap, to_right: bool, trace: bool) -> None:
        self.bound = bound
        self.to_right = to_right
        self.trace = trace
        self.source: Notation = bound.left if to_right else bound.right
        self.target: Notation = bound.right if to_right else bound.left
        self.lines: list[str] = []
        self.rows: dict[int, int] = {}
        self.names: dict[str, Any] = {}
        self.counter = 0
        self.current = 0
        self.indent = 1
        self.known: dict[Steps, Node] = {}
        self.conditions: dict[str, Condition] = {}
        self.writers: dict[int, int] = {}
        self.alive: list[Node] = []  # so that no id() is used twice

    # -- lines ------------------------------------------------------------------------------

    def put(self, *lines: str) -> None:
        for line in lines:
            self.lines.append("    " * self.indent + line)
            self.rows[len(self.lines) + 1] = self.current

    def leave(self) -> None:
        """End an indented block; an empty one says so."""
        if self.lines[-1].endswith(":"):
            self.put("pass")
        self.indent -= 1

    def fresh(self, letter: str) -> str:
        self.counter += 1
        return f"{letter}{self.counter}"

    def emit(self) -> Source:
        """The whole function."""
        root = Node(ROOT, None, var="out")
        scope = _Scope(Frame("root"), root, self.indent)
        self.put(*self.source.begin_read(self.trace), *self.target.begin_write(self.trace))
        self.body(scope, self.bound.rows)
        self.current = 0
        self.put(*self.target.finish(self.trace), "return result")
        text = "def convert(tree, env):\n" + "\n".join(self.lines) + "\n"
        names = {**self.source.runtime(), **self.target.runtime(), **self.names}
        return Source(text, self.rows, names)

    # -- one scope --------------------------------------------------------------------------

    def body(self, scope: _Scope, entries: tuple[BoundRow | BoundBlock, ...]) -> None:
        self.plan(scope, entries, scope.node)
        self.declare(scope, scope.node)
        self.entries(scope, entries)
        self.pop_to(scope, 0)
        self.close(scope, scope.node)

    def active(self, entry: BoundRow | BoundBlock) -> bool:
        arrow = entry.source.arrow
        return arrow == "<->" or arrow == ("->" if self.to_right else "<-")

    def ends(self, entry: BoundRow | BoundBlock) -> tuple[Any, Any]:
        return (entry.left, entry.right) if self.to_right else (entry.right, entry.left)

    def plan(self, scope: _Scope, entries: tuple[BoundRow | BoundBlock, ...], block: Node) -> None:
        """Make the nodes of every place that this scope writes."""
        for entry in entries:
            if not self.active(entry):
                continue
            self.current = entry.number
            source, target = self.ends(entry)
            if isinstance(entry, BoundRow):
                if isinstance(target, Path):
                    node = self.node(scope, target)
                    if isinstance(source, Const | Same) or (
                        entry.source.absent is not None and not self.to_right
                    ):
                        scope.consts.setdefault(id(block), []).append((node, entry))
                continue
            node = self.node(scope, target)
            if entry.source.kind == "each":
                node.item = True
                continue
            scope.blocks.append(node)
            self.plan(scope, entry.rows, node)

    def node(self, scope: _Scope, path: Path) -> Node:
        node = scope.node
        start = len(path.full) - len(path.rel)
        for position, step in enumerate(path.rel, start + 1):
            node = node.child(step)
            self.known.setdefault(path.full[:position], node)
            self.writers.setdefault(id(node), self.current)
        return node

    def declare(self, scope: _Scope, node: Node) -> None:
        """Begin the variables of a node and of all below it."""
        self.target.shape(node)
        if node.step is not ROOT and (
            node.children or node is scope.node or self.target.closes(node.step)
        ):
            node.var = self.fresh("n")
            if node.shape != "value":
                self.put(*self.target.declare(node))
        for child in node.children.values():
            if not child.item:
                self.declare(scope, child)

    def close(self, scope: _Scope, node: Node) -> None:
        """Attach everything below a node, then write its constants, when anything was written."""
        if id(node) in scope.closed:
            return
        scope.closed.add(id(node))
        consts = [pair for pair in scope.consts.get(id(node), []) if self.active(pair[1])]
        always = node.step is ROOT
        if consts and not always:
            dynamic = [self.target.filled(each) for each in self.dynamic(scope, node)]
            self.put(f"if {' or '.join(dynamic) or 'False'}:")
            self.indent += 1
        for leaf, row in consts:
            self.const(leaf, row)
        if consts and not always:
            self.indent -= 1
        parents = [child for child in node.children.values() if child.children and not child.item]
        for child in self.target.order(parents):
            if id(child) not in scope.closed:
                self.close(scope, child)
                self.attach(child)
        if node is scope.node and not always and node.shape != "value":
            self.attach(node)

    def dynamic(self, scope: _Scope, node: Node) -> list[Node]:
        found = [node]
        for child in node.children.values():
            if child.children and not child.item and id(child) not in scope.closed:
                found.extend(self.dynamic(scope, child))
        return found

    def attach(self, node: Node) -> None:
        """Hand a filled node to its parent."""
        lines = list(self.target.attach(node, self.trace)) if node.shape != "value" else []
        if not lines:
            return
        if self.trace:
            row = self.writers.get(id(node), self.current)
            lines.extend(f"C({row}, {spot})" for spot in self.target.stated(node))
        self.put(f"if {self.target.filled(node)}:")
        self.indent += 1
        self.put(*lines)
        self.indent -= 1

    def const(self, leaf: Node, row: BoundRow) -> None:
        """Write what the table itself states; it stands only where something else does."""
        self.current = row.number
        source = row.right if not self.to_right else row.left
        fallback = row.source.fallback
        if isinstance(source, Path):
            source, fallback = Const(row.source.absent, row.source.where), True
        if isinstance(source, Same):
            lines = list(self.target.same(leaf, self.other(source)))
        else:
            assert isinstance(source, Const)
            lines = [self.target.assign(leaf, repr(source.value))]
        if self.trace:
            indent = "    " if isinstance(source, Same) else ""
            lines.append(f"{indent}C({row.number}, {self.target.spot(leaf)})")
        condition = row.when.left if self.to_right else row.when.right
        if condition is not None:
            lines = [f"if {test(f'w_{row.number}', condition)}:", *("    " + li for li in lines)]
        if fallback:
            lines = [f"if {self.target.absent(leaf)}:", *("    " + line for line in lines)]
        self.put(*lines)

    def other(self, source: Same) -> Node:
        """The node that `{same: path}` means."""
        found = self.known.get(self.target.parse(source.text.lstrip("/"), ()))
        if found is None:
            fix = "name a path that an earlier block of this map writes"
            message = f"nothing is written at {source.text}"
            raise TableError([Fault(source.where, "unknown-path", message, fix)])
        return found

    # -- rows -------------------------------------------------------------------------------

    def entries(self, scope: _Scope, entries: tuple[BoundRow | BoundBlock, ...]) -> None:
        for entry in entries:
            self.current = entry.number
            if isinstance(entry, BoundRow):
                self.row(scope, entry, ())
            else:
                self.block(scope, entry)

    def row(self, scope: _Scope, row: BoundRow, prefix: Steps) -> None:
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
                self.pop_to(scope, 0)
                self.condition(scope, f"w_{row.number}", condition)
            return
        steps = self.with_when(scope, row, source)
        frame = self.open(scope, steps)
        self.write(scope, row, node, frame)
        if row.source.default is not None and self.to_right:
            self.default(scope, row, node, source)

    def write(self, scope: _Scope, row: BoundRow, node: Node, frame: Frame) -> None:
        codec = row.codec
        template = codec.read_source if self.to_right else codec.write_source
        lines: list[str] = []
        if template is not None:
            value = template.format(v=frame.var)
            sure = True
        else:
            value = f"{self.named(codec, row)}({frame.var}, env)"
            sure = False
        var = frame.var
        if not sure or self.trace or row.source.fallback:
            var = self.fresh("v")
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
        name = f"c{id(codec)}_{'r' if self.to_right else 'w'}"
        self.names[name] = codec.read if self.to_right else codec.write
        return name

    def default(self, scope: _Scope, row: BoundRow, node: Node, source: Path) -> None:
        """A default stands where the block runs and the left has no value."""
        self.open(scope, self.block_prefix)
        lines = [self.target.assign(node, repr(row.source.default))]
        if self.trace:
            lines.append(f"C({row.number}, {self.target.spot(node)})")
        self.put(f"if {self.target.absent(node)}:", *("    " + line for line in lines))

    block_prefix: Steps = ()

    def restated(self, scope: _Scope, row: BoundRow) -> None:
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

    # -- blocks -----------------------------------------------------------------------------

    def block(self, scope: _Scope, block: BoundBlock) -> None:
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

    def not_inherited(self, scope: _Scope, block: BoundBlock) -> Step:
        assert block.inherits is not None
        name = self.fresh("h")
        self.pop_to(scope, 0)
        self.put(f"{name} = None")
        frame = self.open(scope, block.inherits.rel, rooted=True)
        self.put(f"{name} = {frame.var}")
        self.pop_to(scope, 0)
        return Step("/differs", name)

    def each(self, scope: _Scope, block: BoundBlock, source: Path, target: Path) -> None:
        steps = self.with_when(scope, block, source)
        parent = self.open(scope, steps[:-1], rooted=source.rooted)
        item = self.node(scope, target)
        out = self.fresh("i")
        access = self.source.loop(steps[-1], parent, out, self.trace)
        self.put(*access.setup, access.guard)
        self.indent += 1
        self.put(*access.inside)
        if self.trace:
            self.put(f"{out}_w = {access.where}", *self.used(access))
        saved, self.block_prefix = self.block_prefix, ()
        inner = _Scope(Frame(out), item, self.indent)
        fresh = Node(item.step, item.parent, item.var)
        self.writers[id(fresh)] = block.number
        self.alive.append(fresh)
        inner.node = fresh
        self.current = block.number
        self.body(inner, block.rows)
        self.block_prefix = saved
        self.leave()

    # -- guards -----------------------------------------------------------------------------

    def with_when(self, scope: _Scope, entry: BoundRow | BoundBlock, source: Path) -> Steps:
        """The steps of a source path with the entry's condition put before its last part."""
        steps = (Step("/root"), *source.rel) if source.rooted else source.rel
        condition = entry.when.left if self.to_right else entry.when.right
        if condition is None:
            return steps
        name = f"w_{entry.number}"
        self.conditions[name] = condition
        return (*self.block_prefix, Step("/when", name), *steps[len(self.block_prefix) :])

    def open(self, scope: _Scope, steps: Steps, *, rooted: bool = False) -> Frame:
        """Open the guards of a path, sharing those that stand already."""
        if rooted and steps[:1] != (Step("/root"),):
            steps = (Step("/root"), *steps)
        common = 0
        for (step, _, _), wanted in zip(scope.stack, steps, strict=False):
            if step != wanted:
                break
            common += 1
        self.pop_to(scope, common)
        for step in steps[common:]:
            self.push(scope, step)
        return scope.stack[-1][1] if scope.stack else scope.frame

    def used(self, access: Access) -> list[str]:
        return [f"U({self.current}, {where}, {values})" for where, values in access.uses]

    def pop_to(self, scope: _Scope, depth: int) -> None:
        while len(scope.stack) > depth:
            _, _, indented = scope.stack.pop()
            if indented:
                self.leave()

    def push(self, scope: _Scope, step: Step) -> None:
        parent = scope.stack[-1][1] if scope.stack else scope.frame
        if step.kind == "/root":
            scope.stack.append((step, Frame("root"), False))
            return
        if step.kind == "/when":
            condition = self.conditions[str(step.key)]
            self.condition(scope, str(step.key), condition)
            self.put(f"if {test(str(step.key), condition)}:")
            scope.stack.append((step, Frame(parent.var), True))
            self.indent += 1
            return
        if step.kind == "/differs":
            if self.trace:
                place = f"{parent.var}_w, {parent.var}, None"
                self.put(f"if {parent.var} == {step.key}: R({self.current}, {place})")
            self.put(f"if {step.key} is None or {parent.var} != {step.key}:")
            scope.stack.append((step, Frame(parent.var), True))
            self.indent += 1
            return
        out = self.fresh("x")
        access = self.source.read(step, parent, out, self.trace)
        self.put(*access.setup)
        if access.guard:
            self.put(f"if {access.guard}:")
            self.indent += 1
        self.put(*access.inside)
        if self.trace:
            self.put(f"{out}_w = {access.where}", *self.used(access))
        scope.stack.append((step, Frame(out), bool(access.guard)))

    def condition(self, scope: _Scope, name: str, condition: Condition) -> None:
        """Set a variable to the value that a condition is about, or None."""
        self.conditions[name] = condition
        self.put(f"{name} = None")
        depth = len(scope.stack)
        steps = condition.path.rel
        rooted = condition.path.rooted
        open_steps = tuple(step for step, _, _ in scope.stack if not step.kind.startswith("/"))
        if rooted:
            self.push(scope, Step("/root"))
        elif steps[: len(open_steps)] == open_steps:
            steps = steps[len(open_steps) :]
        elif scope.stack:
            # The path does not go through the open guards: read it from the scope's own value.
            scope.stack.append((Step("/root"), Frame(scope.frame.var), False))
        for step in steps:
            self.push(scope, step)
        frame = scope.stack[-1][1] if scope.stack else scope.frame
        self.put(f"{name} = {frame.var}")
        self.pop_to(scope, depth)


def test(name: str, condition: Condition) -> str:
    """The expression of a condition whose value is in a variable."""
    if not condition.values:
        return f"{name} is None" if condition.negated else f"{name} is not None"
    values: tuple[Any, ...] = condition.values
    if "" in values:
        values = (*values, None)
    if "true" in values or "false" in values:
        values = (*values, *(value == "true" for value in values if value in ("true", "false")))
    if len(values) == 1:
        return f"{name} {'!=' if condition.negated else '=='} {values[0]!r}"
    return f"{name} {'not in' if condition.negated else 'in'} {values!r}"


def _with_prefix(
    entry: BoundRow | BoundBlock, old: Steps, new: Steps, to_right: bool
) -> BoundRow | BoundBlock:
    from dataclasses import replace

    side = "left" if to_right else "right"
    path = getattr(entry, side)
    if isinstance(path, Path) and not path.rooted and path.rel[: len(old)] == old:
        path = replace(path, rel=new + path.rel[len(old) :])
        entry = replace(entry, **{side: path})
    if isinstance(entry, BoundBlock) and entry.source.kind == "with":
        rows = tuple(_with_prefix(each, old, new, to_right) for each in entry.rows)
        entry = replace(entry, rows=rows)
    return entry


__all__ = ["Emitter", "Source"]
