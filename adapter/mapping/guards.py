"""The reading half of emitted source: paths opened step by step under guards that rows share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from adapter.mapping.bound import BoundBlock, BoundMap, BoundRow, Condition, Path, Steps
from adapter.plugin.formats import Access, Frame, Node, Notation, Step

ROOT = Step("/root")


@dataclass(slots=True)
class Scope:
    """One loop body, or the whole function: what is read and written, which guards are open."""

    frame: Frame
    node: Node
    indent: int
    stack: list[tuple[Step, Frame, bool]] = field(default_factory=list)
    consts: dict[int, list[tuple[Node, BoundRow]]] = field(default_factory=dict)
    blocks: list[Node] = field(default_factory=list)
    closed: set[int] = field(default_factory=set)
    noted: list[str] = field(default_factory=list)
    unset: list[str] = field(default_factory=list)
    named: dict[object, str] = field(default_factory=dict)


class Guards:
    """Lines of source, and the guards that stand around the next one."""

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
        self.idle: dict[str, list[str]] = {}
        self.wrappers: dict[int, Node] = {}  # the only child of a node that has no variable
        self.pinned: set[int] = set()
        self.loops: dict[int, int] = {}  # how many loops write into a node
        self.frames: list[Frame] = []
        self.before: Sequence[Frame] = ()  # the frames of a first emission of the same source

    block_prefix: Steps = ()

    def put(self, *lines: str) -> None:
        """Add statements at the current depth."""
        for line in lines:
            self.lines.append("    " * self.indent + line)
            self.rows[len(self.lines) + 1] = self.current

    def frame(self, var: str) -> Frame:
        """The frame of a variable; it knows what is read from it if a first emission told."""
        number = len(self.frames)
        wanted = self.before[number].asked if self.before else ()
        self.frames.append(Frame(var, wanted=wanted))
        return self.frames[-1]

    def leave(self) -> None:
        """End an indented block; an empty one says so."""
        if self.lines[-1].endswith(":"):
            self.put("pass")
        self.indent -= 1

    def fresh(self, letter: str) -> str:
        """A variable that no other line uses."""
        self.counter += 1
        return f"{letter}{self.counter}"

    def borrow(self, letter: str) -> str:
        """A variable that no open guard uses, until it is given back.

        A function of a thousand variables is slow: Python reaches the first 256 in one step, and
        makes room for all of them at each call.
        """
        idle = self.idle.get(letter)
        return idle.pop() if idle else self.fresh(letter)

    def give_back(self, name: str) -> None:
        """What follows may use this variable for something else."""
        self.idle.setdefault(name[0], []).append(name)

    def active(self, entry: BoundRow | BoundBlock) -> bool:
        """Whether an entry runs in this direction."""
        arrow = entry.source.arrow
        return arrow == "<->" or arrow == ("->" if self.to_right else "<-")

    def ends(self, entry: BoundRow | BoundBlock) -> tuple[Any, Any]:
        """What is read and what is written."""
        return (entry.left, entry.right) if self.to_right else (entry.right, entry.left)

    def with_when(self, scope: Scope, entry: BoundRow | BoundBlock, source: Path) -> Steps:
        """The steps of a source path with the entry's condition put before its last part."""
        steps = (Step("/root"), *source.rel) if source.rooted else source.rel
        condition = entry.when.left if self.to_right else entry.when.right
        if condition is None:
            return steps
        if not self.trace and _on_the_way(condition, source):
            return steps
        name = f"w_{entry.number}"
        if not self.trace:  # rows of one condition share its guard
            asked = (*_asked(condition), condition.values, condition.negated)
            name = scope.named.setdefault(asked, name)
        self.conditions[name] = condition
        return (*self.block_prefix, Step("/when", name), *steps[len(self.block_prefix) :])

    def open(self, scope: Scope, steps: Steps, *, rooted: bool = False) -> Frame:
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
        """When tracing: the places that reaching a step consumes."""
        return [f"U({self.current}, {where}, {values})" for where, values in access.uses]

    def pop_to(self, scope: Scope, depth: int) -> None:
        """Close guards until this many stand."""
        while len(scope.stack) > depth:
            step, frame, indented = scope.stack.pop()
            if indented:
                self.leave()
            if not step.kind.startswith("/"):  # the others stand for a variable of someone else
                self.give_back(frame.var)

    def push(self, scope: Scope, step: Step) -> None:
        """Open the guard of one step."""
        parent = scope.stack[-1][1] if scope.stack else scope.frame
        if step.kind == "/root":
            scope.stack.append((step, self.frame("root"), False))
            return
        if step.kind == "/when":
            condition = self.conditions[str(step.key)]
            name = self.condition(scope, str(step.key), condition)
            self.put(f"if {test(name, condition)}:")
            scope.stack.append((step, self.frame(parent.var), True))
            self.indent += 1
            return
        if step.kind == "/differs":
            if self.trace:
                place = f"{parent.var}_w, {parent.var}, None"
                self.put(f"if {parent.var} == {step.key}: R({self.current}, {place})")
            self.put(f"if {step.key} is None or {parent.var} != {step.key}:")
            scope.stack.append((step, self.frame(parent.var), True))
            self.indent += 1
            return
        out = self.borrow("x")
        parent.asked.append(step)
        access = self.source.read(step, parent, out, self.trace)
        self.put(*access.setup)
        if access.guard:
            self.put(f"if {access.guard}:")
            self.indent += 1
        self.put(*access.inside)
        if self.trace:
            self.put(f"{out}_w = {access.where}", *self.used(access))
        scope.stack.append((step, self.frame(out), bool(access.guard)))

    def condition(self, scope: Scope, name: str, condition: Condition) -> str:
        """The variable of the value that a condition is about, or None: this one, or one that was
        set before under guards that stand still. A traced run asks again: each row has its uses."""
        self.conditions[name] = condition
        asked = _asked(condition)
        frames = [scope.frame, *(frame for _, frame, _ in scope.stack)]
        if not self.trace:
            for frame in frames:
                if asked in frame.held:
                    return frame.held[asked]
            frames[-1].held[asked] = name
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
            scope.stack.append((Step("/root"), self.frame(scope.frame.var), False))
        for step in steps:
            self.push(scope, step)
        frame = scope.stack[-1][1] if scope.stack else scope.frame
        self.put(f"{name} = {frame.var}")
        self.pop_to(scope, depth)
        return name


def _asked(condition: Condition) -> tuple[Steps, bool]:
    """What a condition is about, wherever in a scope it stands."""
    return condition.path.rel, condition.path.rooted


def _on_the_way(condition: Condition, source: Path) -> bool:
    """Whether it only asks for a value that is gone through anyway to reach the row's own."""
    way = source.rel[: len(condition.path.rel)]
    return (
        not condition.values and not condition.negated and _asked(condition) == (way, source.rooted)
    )


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
