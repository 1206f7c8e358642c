"""The writing half of emitted source: one variable for each object, attached when it is filled."""

from __future__ import annotations

from functools import cached_property

from adapter.mapping.bound import BoundBlock, BoundRow, Path, Steps
from adapter.mapping.guards import ROOT, Guards, Scope, test
from adapter.mapping.table import Const, Fault, Same, TableError
from adapter.plugin.formats import Node


class Building(Guards):
    """What a scope builds: planned before its rows, closed after them."""

    def plan(self, scope: Scope, entries: tuple[BoundRow | BoundBlock, ...], block: Node) -> None:
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
                        if entry.when.left if self.to_right else entry.when.right:
                            scope.noted.append(f"w_{entry.number}")
                continue
            node = self.node(scope, target)
            if entry.source.kind == "each":
                node.item = True
                self.loops[id(node.parent)] = self.loops.get(id(node.parent), 0) + 1
                continue
            scope.blocks.append(node)
            self.plan(scope, entry.rows, node)

    def node(self, scope: Scope, path: Path) -> Node:
        """The node of a place, made on the way."""
        node = scope.node
        start = len(path.full) - len(path.rel)
        for position, step in enumerate(path.rel, start + 1):
            node = node.child(step)
            self.known.setdefault(path.full[:position], node)
            if path.full[:position] in self.elsewhere:
                self.pinned.add(id(node))
            self.writers.setdefault(id(node), self.current)
        return node

    def declare(self, scope: Scope, node: Node) -> None:
        """Begin the variables of a node and of all below it."""
        self.target.shape(node)
        if self.wraps(scope, node):
            self.wrappers[id(node)] = next(iter(node.children.values()))
        elif node.step is not ROOT and (
            node.children or node is scope.node or self.target.closes(node.step)
        ):
            node.var = self.fresh("n")
            if node.shape != "value":
                self.begin(scope, node)
        for child in node.children.values():
            if not child.item:
                self.declare(scope, child)

    def begin(self, scope: Scope, node: Node) -> None:
        """Begin the variables of one node; those that begin as None share a line."""
        if self.of_one_loop(node):
            scope.unset.append(node.var)
            return
        for line in self.target.declare(node):
            name, _, value = line.partition(" = ")
            if value == "None":
                scope.unset.append(name)
            else:
                self.put(line)

    def of_one_loop(self, node: Node | None) -> bool:
        """Whether one loop writes all of a list: then the list begins where the loop does."""
        return (
            node is not None
            and node.shape == "list"
            and not self.trace
            and len(node.children) == 1
            and self.loops.get(id(node)) == 1
        )

    def wraps(self, scope: Scope, node: Node) -> bool:
        """Whether a node only stands around another one: it needs no variable of its own.

        Most places of FHIR are such: a list of one object of one list. A traced run keeps them all,
        to say where each value stands.
        """
        if self.trace or node.step is ROOT or node is scope.node or len(node.children) != 1:
            return False
        (inner,) = node.children.values()
        if not inner.children or inner.item or id(node) in self.pinned:
            return False
        self.target.shape(inner)
        return self.target.around(node, "") is not None

    @cached_property
    def elsewhere(self) -> frozenset[Steps]:
        """Places that the table names from elsewhere: what `{same: path}` and `inherits` mean."""
        found: set[Steps] = set()
        waiting: list[BoundRow | BoundBlock] = list(self.bound.rows)
        while waiting:
            entry = waiting.pop()
            if isinstance(entry, BoundRow):
                ends = (entry.left, entry.right)
                found |= {
                    self.target.parse(e.text.lstrip("/"), ()) for e in ends if type(e) is Same
                }
                continue
            waiting += entry.rows
            if entry.inherits is not None and not self.to_right:
                found |= {entry.inherits.full, entry.inherits.full[:-1], entry.left.full[:-2]}
        return frozenset(found)

    def close(self, scope: Scope, node: Node) -> None:
        """Attach everything below a node, then write its constants, when anything was written."""
        if id(node) in scope.closed:
            return
        scope.closed.add(id(node))
        consts = [pair for pair in scope.consts.get(id(node), []) if self.active(pair[1])]
        always = node.step is ROOT
        if consts and not always:
            dynamic = [self.target.filled(each) for each in self.dynamic(scope, node)]
            dynamic = [each for each in dynamic if each != "False"]
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

    def dynamic(self, scope: Scope, node: Node) -> list[Node]:
        """Every node of a block that rows may fill."""
        found = [] if id(node) in self.wrappers else [node]
        for child in node.children.values():
            if child.children and not child.item and id(child) not in scope.closed:
                found.extend(self.dynamic(scope, child))
        return found

    def attach(self, node: Node) -> None:
        """Hand a filled node to its parent, with the nodes that only stand around it."""
        if id(node.parent) in self.wrappers or node.shape == "value":
            return
        within: list[Node] = []
        while id(node) in self.wrappers:
            within.append(node)
            node = self.wrappers[id(node)]
        lines = list(self.target.attach(node, self.trace, within))
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
