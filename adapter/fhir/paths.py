"""FHIR paths in mapping tables: `Patient.name[0].family`, `ServiceRequest.subject@Patient`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adapter.fhir.datatypes import words
from adapter.fhir.graph import linked
from adapter.plugin.formats import Access, Element, Frame, Match, Node, PathError, Step
from adapter.plugin.json_paths import JsonNotation, parse_match, uses_of
from adapter.plugin.json_sorting import Sorted
from adapter.plugin.json_writing import selected

_RESOURCES = ("resource", "deref", "refs")


class FhirNotation(JsonNotation):
    """Paths through the resources of a Bundle; `@Type` follows a reference.

    Steps: ``resource`` a resource by type, ``deref`` the resource that a Reference means, ``refs``
    the resources of a type that a list of References means.
    """

    def parse(
        self, text: str, at: tuple[Step, ...] = (), *, each: bool = False
    ) -> tuple[Step, ...]:
        """See `adapter.plugin.formats.Notation.parse`."""
        if text == ".":
            return ()
        path, mark, rest = _parted(text)
        steps = list(self._plain(path, at, each and not mark))
        while mark:
            kind, match, after = self._type(rest, len(path))
            final = not after
            if not kind[:1].isupper() or not kind.isalnum():
                raise PathError(
                    "@ is followed by a resource type", fix="write @Patient", offset=len(path)
                )
            many = bool(steps) and steps[-1].kind == "all"
            if many:
                steps.pop()
            loop = each and final and not many
            steps.append(Step("refs" if many or loop else "deref", kind, match))
            path, mark, rest = _parted(after)
            if path:
                steps.extend(self._plain(path, (*at, *steps), each and not mark))
        return tuple(steps)

    def _type(self, text: str, offset: int) -> tuple[str, tuple[Match, ...], str]:
        """Type, selector and rest of what follows an @."""
        kind = re.match(r"[A-Za-z]*", text)
        assert kind is not None
        rest = text[kind.end() :]
        match: tuple[Match, ...] = ()
        if rest.startswith("["):
            end = _end(rest)
            match = parse_match(rest[1 : end - 1], offset)
            rest = rest[end:]
        return kind.group(), match, rest.removeprefix(".")

    def _plain(self, path: str, at: tuple[Step, ...], each: bool) -> tuple[Step, ...]:
        many = path.endswith("[]")
        path = path.removesuffix("[]")
        if not at and path[:1].isupper():
            name = path.split(".")[0].split("[")[0]
            rest = path[len(name) :]
            head = Step("resource", name)
            if rest.startswith("["):
                inner = super().parse(rest[: _end(rest)])
                head = Step("resource", name, inner[0].match)
                rest = rest[_end(rest) :]
            if not rest:
                return (head,)
            steps = (head, *super().parse(rest.removeprefix("."), each=each))
        else:
            steps = super().parse(path, each=each)
        return (*steps, Step("all")) if many else steps

    # -- reading ------------------------------------------------------------------------------

    def begin_read(self, trace: bool) -> Sequence[str]:
        """Resources by type and by reference."""
        lines = [f"root = env.open(tree, {trace})", "refs = env.refs"]
        return (*lines, "root_w = ()") if trace else lines

    def read(self, step: Step, parent: Frame, out: str, trace: bool) -> Access:
        """See `Notation.read`."""
        up = parent.var
        where = f"env.places[id({out})]"
        if step.kind == "resource":
            if not step.match:
                line = f"{out} = {up}.get({step.key!r})"
                return Access((line,), out, (f"{out} = {out}[0]",), where)
            loop = (
                f"for {out} in {up}.get({step.key!r}, ()):",
                f"    if {self.matching(out, step.match)}: break",
                f"else: {out} = None",
            )
            return Access(loop, f"{out} is not None", (), where)
        if step.kind == "deref":
            line = f"{out} = refs.get({up}.get('reference'))"
            guard = f"{out} is not None and {self._fits(out, step)}"
            return Access((line,), guard, (), where, ((f"{up}_w + ('reference',)", "None"),))
        if step.kind == "refs":
            found = None if trace else self._linked(step, parent)
            if found is not None:
                return self.first(found, out)
            walk = (
                f"for {out}_r in {up}:",
                f"    {out} = refs.get({out}_r.get('reference'))",
                f"    if {out} is not None and {self._fits(out, step)}: break",
                f"else: {out} = None",
            )
            used = f"{up}_w + (find({up}, {out}_r), 'reference')"
            uses = ((used, "None"), *uses_of(out, step.match))
            return Access(walk, f"{out} is not None", (), where, uses)
        return super().read(step, parent, out, trace)

    def loop(self, step: Step, parent: Frame, out: str, trace: bool) -> Access:
        """See `Notation.loop`."""
        where = f"env.places[id({out})]"
        if step.kind == "resource":
            inside: tuple[str, ...] = ()
            if step.match:
                inside = (f"if not ({self.matching(out, step.match)}): continue",)
            return Access((), f"for {out} in {parent.var}.get({step.key!r}, ()):", inside, where)
        if step.kind == "refs":
            found = None if trace else self._linked(step, parent)
            if found is not None:
                return self.every(found, out)
            inside = (
                f"{out} = refs.get({out}_r.get('reference'))",
                f"if {out} is None or not ({self._fits(out, step)}): continue",
            )
            used = f"{parent.var}_w + (find({parent.var}, {out}_r), 'reference')"
            uses = ((used, "None"), *uses_of(out, step.match))
            return Access((), f"for {out}_r in {parent.var}:", inside, where, uses)
        return super().loop(step, parent, out, trace)

    def _linked(self, step: Step, parent: Frame) -> Sorted | None:
        """The resources of a type that a list of References means, followed once for all types."""
        if sum(each.kind == "refs" for each in parent.wanted) < 2:
            return None
        by = f"{parent.var}_refs"
        setup: tuple[str, ...] = ()
        if by not in parent.memo:
            parent.memo[by] = by
            setup = (f"{by} = linked({parent.var}, refs)",)
        items = f"{by}.get({step.key!r}, ())"
        found = self.sorted(step, parent, items, f"{by}_{step.key}")
        if found is None:
            rest = tuple(match for match in step.match if not match.written_only)
            return Sorted(setup, items, rest)
        return found._replace(setup=(*setup, *found.setup))

    def _fits(self, out: str, step: Step) -> str:
        """True for a resource of the step's type that satisfies its selector, as an expression."""
        found = f"{out}['resourceType'] == {step.key!r}"
        return f"{found} and {self.matching(out, step.match)}" if step.match else found

    # -- writing ------------------------------------------------------------------------------

    def begin_write(self, trace: bool) -> Sequence[str]:
        """The Bundle collects its own entries."""
        self.traced = trace
        return ("add = env.add",)

    def shape(self, node: Node) -> None:
        """See `Notation.shape`."""
        super().shape(node)
        if node.step.kind in _RESOURCES:
            node.shape = "resource"
        elif any(step.kind == "refs" for step in node.children):
            node.shape = "list"

    def declare(self, node: Node) -> Sequence[str]:
        """See `Notation.declare`."""
        if node.shape != "resource":
            return super().declare(node)
        if node.step.key == "Bundle":
            return (f"{node.var} = {{}}",)
        return (
            f"{node.var} = {{'resourceType': {node.step.key!r}}}",
            f"{node.var}_ref = None",
        )

    def filled(self, node: Node) -> str:
        """See `Notation.filled`."""
        if node.shape == "resource" and node.step.key != "Bundle":
            return f"len({node.var}) > 1"
        return super().filled(node)

    def around(self, node: Node, value: str) -> str | None:
        """See `Notation.around`: a resource is an entry of its own."""
        (inner,) = node.children.values()
        if "resource" in (node.shape, inner.shape):
            return None
        return super().around(node, value)

    def attach(self, node: Node, trace: bool, within: Sequence[Node] = ()) -> Sequence[str]:
        """See `Notation.attach`."""
        if node.shape != "resource":
            return super().attach(node, trace, within)
        if node.step.key == "Bundle":
            return (f"env.head = {node.var}",)
        assert node.parent is not None
        lines = [*selected(node), f"{node.var}_ref = add({node.var})"]
        if node.step.kind == "deref":
            lines.append(f"{node.parent.var}['reference'] = {node.var}_ref['reference']")
        elif node.step.kind == "refs":
            lines.append(f"{node.parent.var}.append({node.var}_ref)")
        return lines

    def stated(self, node: Node) -> Sequence[str]:
        """See `Notation.stated`."""
        spots = list(super().stated(node))
        if node.step.kind == "deref":
            spots.append(f"{_parent(node)}, 'reference'")
        elif node.step.kind == "refs":
            spots.append(f"{_parent(node)}, len({_parent(node)}) - 1")
        if node.shape == "resource":
            spots.append(f"{node.var}, 'resourceType'")
        return spots

    def same(self, node: Node, source: Node) -> Sequence[str]:
        """See `Notation.same`: the reference to a resource, or the first of a list of them."""
        found = source
        if found.shape not in ("resource", "list"):
            found = next((c for c in source.children.values() if c.step.kind == "deref"), source)
        if found.shape == "list":
            return (f"if {found.var}:", f"    {self.assign(node, found.var + '[0]')}")
        if found.shape != "resource":
            raise PathError("there is no reference at this path", fix="name one that @Type follows")
        return (f"if {found.var}_ref is not None:", f"    {self.assign(node, found.var + '_ref')}")

    def closes(self, step: Step) -> bool:
        """Resources are finished where their block ends."""
        return step.kind in _RESOURCES

    def places(self, env: Any, result: Any) -> Mapping[int, tuple[Any, ...]]:
        """See `Notation.places`."""
        if result.get("resourceType") != "Bundle":
            return {id(result): ()}
        entries = enumerate(result["entry"])
        found = {id(entry["resource"]): ("entry", n, "resource") for n, entry in entries}
        return {**found, id(env.head): ()}

    def finish(self, trace: bool) -> Sequence[str]:
        """The Bundle."""
        return ("result = env.result()",)

    # -- definitions --------------------------------------------------------------------------

    def element(self, steps: tuple[Step, ...]) -> Element:
        """See `Notation.element`; R4 element definitions.

        Raises:
            PathError: ``unknown-path`` or ``list-needs-index``.
        """
        from adapter.fhir.elements import element_at

        return element_at(steps)

    def required(self, steps: Sequence[tuple[Step, ...]]) -> Sequence[str]:
        """See `Notation.required`."""
        from adapter.fhir.elements import required_of

        return required_of(steps)

    def runtime(self) -> Mapping[str, Any]:
        """Names for the emitted source."""
        return {**super().runtime(), "words": words, "linked": linked}


def _parent(node: Node) -> str:
    assert node.parent is not None
    return node.parent.var


def _parted(text: str) -> tuple[str, bool, str]:
    """Text before the first @ that is not inside brackets, whether there is one, and the rest."""
    depth = 0
    for position, char in enumerate(text):
        depth += {"[": 1, "]": -1}.get(char, 0)
        if char == "@" and depth == 0:
            return text[:position], True, text[position + 1 :]
    return text, False, ""


def _end(text: str) -> int:
    depth = 0
    for position, char in enumerate(text):
        depth += {"[": 1, "]": -1}.get(char, 0)
        if depth == 0:
            return position + 1
    return len(text)
