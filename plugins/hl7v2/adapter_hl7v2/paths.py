"""HL7 v2 paths in mapping tables: ``PID-5.1``, ``PRD[1.1=RP]-2``, ``PID-3[5=JHN].1``, as source.

Reading works on an index of the message: segments by id, each a list of raw fields; a segment that
leads a group holds its followers. Fields split only where a row asks for a part. Writing collects
raw values in dictionaries by number and joins them at the end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adapter.plugin.formats import Access, Element, Frame, Match, Node, PathError, Step, selector
from adapter_hl7v2 import er7
from adapter_hl7v2.codecs import plain

if TYPE_CHECKING:
    from adapter_hl7v2.places import Places

_SEGMENT = re.compile(r"([A-Z][A-Z0-9]{2})(?![a-z])")
_FIELD = re.compile(r"-(\d+)")
_PARTS = re.compile(r"(?:\.(\d+)(?:\.(\d+))?)?")
_FIX = "write SEG-field.component.subcomponent, for example PID-5.1"


class Er7Notation:
    """The paths of one HL7 v2 map.

    `groups` says which segments belong to the one before them; `order` is the order in which
    segments are written.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[str]],
        order: Sequence[str],
        side: Mapping[str, Any] | None = None,
    ) -> None:
        self.side = side or {}
        self._places: Places | None = None
        self.groups = {head: tuple(kids) for head, kids in groups.items()}
        self.rank = {name: number for number, name in enumerate(order)}

    # -- text ---------------------------------------------------------------------------------

    def parse(
        self, text: str, at: tuple[Step, ...] = (), *, each: bool = False
    ) -> tuple[Step, ...]:
        """See `adapter.plugin.formats.Notation.parse`."""
        if text == ".":
            return ()
        if text.startswith("."):
            return tuple(self._parts(text, 0))
        found = _SEGMENT.match(text)
        if found is None:
            raise PathError("this is no HL7 v2 path", fix=_FIX)
        name, position = found[1], found.end()
        steps: list[Step] = []
        match: tuple[Match, ...] = ()
        if text[position : position + 1] == "[":
            end = text.find("]", position)
            if end < 0:
                raise PathError("a bracket is not closed", fix="close it with ]", offset=position)
            match = _selector(text[position + 1 : end], position)
            position = end + 1
        steps.extend(self._segment(name, match, at))
        if position == len(text):
            return tuple(steps)
        steps.extend(self._field(text, position, each))
        return tuple(steps)

    def _segment(self, name: str, match: tuple[Match, ...], at: tuple[Step, ...]) -> list[Step]:
        head = next((step for step in reversed(at) if step.kind in ("seg", "kid")), None)
        if head is None:
            return [Step("seg", name, match)]
        if head.key == name and not match:
            return []
        if name in self.groups.get(str(head.key), ()):
            return [Step("kid", name, match)]
        raise PathError(
            f"{name} does not belong to {head.key} here",
            fix=f"start the path with / or name {name} in left.groups under {head.key}",
        )

    def _field(self, text: str, position: int, each: bool) -> list[Step]:
        found = _FIELD.match(text, position)
        if found is None:
            raise PathError("a field follows its segment with a dash", fix=_FIX, offset=position)
        steps = [Step("field", int(found[1]))]
        position = found.end()
        rep: Step | None = None
        if text[position : position + 1] == "[":
            end = text.find("]", position)
            inner = text[position + 1 : end]
            if inner.isdigit():
                rep = Step("rep", int(inner) - 1)
            else:
                rep = Step("rep", None, _selector(inner, position))
            position = end + 1
        if each:
            if position != len(text) or (rep is not None and rep.key is not None):
                raise PathError("a loop goes over segments or repetitions", fix=_FIX)
            return [*steps, Step("reps", None, rep.match if rep else ())]
        steps.append(rep or Step("rep", 0))
        return [*steps, *self._parts(text, position)]

    def _parts(self, text: str, position: int) -> list[Step]:
        found = _PARTS.match(text, position)
        if found is None or found.end() != len(text):
            raise PathError("components and subcomponents are numbers", fix=_FIX, offset=position)
        kinds = ("comp", "sub")
        return [Step(kind, int(n)) for kind, n in zip(kinds, found.groups(), strict=True) if n]

    def peek(self, tree: Any, steps: tuple[Step, ...]) -> str | None:
        """See `Notation.peek`."""
        segment = tree.segment(str(steps[0].key))
        if segment is None:
            return None
        numbers = [int(step.key or 0) for step in steps[1:] if step.kind != "rep"]
        field, comp, sub = [*numbers, 1, 1, 1][:3]
        return segment.part(field, 0, comp, sub) or None

    def element(self, steps: tuple[Step, ...]) -> Element:
        """What the standard says of a place.

        Raises:
            PathError: ``unknown-path`` or ``list-needs-index``.
        """
        return self.places_of().element(steps)

    def required(self, steps: Sequence[tuple[Step, ...]]) -> Sequence[str]:
        """Required fields and segments that a map writing these places leaves empty."""
        return self.places_of().required(steps)

    def places_of(self) -> Places:
        """The definitions of the versions that the map names; read when they are first asked."""
        from adapter_hl7v2.places import Places

        if self._places is None:
            self._places = Places(self.side)
        return self._places

    # -- reading ------------------------------------------------------------------------------

    def runtime(self) -> Mapping[str, Any]:
        """Names for the emitted source."""
        heads = {kid: frozenset() for kids in self.groups.values() for kid in kids}
        for head, kids in self.groups.items():
            for kid in kids:
                heads[kid] = heads[kid] | {head}
        return {
            "GROUPS": er7.Groups(frozenset(self.groups), heads),
            "RANK": self.rank,
            "index": er7.index,
            "by": er7.by,
            "part": er7.part,
            "comps": er7.comps,
            "reps": er7.reps,
            "within": er7.within,
            "build": er7.build,
            "fill": er7.fill,
            "rep_of": er7.rep_of,
            "plain": plain,
        }

    def begin_read(self, trace: bool) -> Sequence[str]:
        """The index of the message, and its delimiters."""
        lines = [
            "CS = env.cs",
            "RS = env.rs",
            "SS = env.ss",
            f"root = index(tree, GROUPS, {trace})",
        ]
        return (*lines, "root_w = ()") if trace else lines

    def read(self, step: Step, parent: Frame, out: str, trace: bool) -> Access:
        """See `Notation.read`."""
        up = parent.var
        if step.kind in ("seg", "kid"):
            return self._read_segment(step, parent, out)
        where = f"({up}_w + ({step.key!r},))"
        if step.kind == "field":
            line = f"{out} = {up}[{step.key}] if {up}_n > {step.key} else ''"
            return Access((line,), f"{out} and {out} != '\"\"'", (), where)
        if step.kind == "rep":
            return self._read_repetition(step, up, out, where)
        if step.kind == "comp":
            return self._read_part(step, parent, out, "CS", where)
        return self._read_part(step, parent, out, "SS", where)

    def _read_segment(self, step: Step, parent: Frame, out: str) -> Access:
        inside: tuple[str, ...] = (f"{out}_n = len({out})",)
        where = f"({out}[0].at,)"
        if not step.match:
            line = f"{out} = {_segments(step, parent.var)}"
            return Access((line,), out, (f"{out} = {out}[0]", *inside), where)
        setup, source, rest = self._selected(step, parent)
        loop = (
            f"for {out} in {source}:",
            f"    if {_all(out, rest)}: break",
            f"else: {out} = None",
        )
        if not rest:
            loop = (f"{out} = {source}", f"{out} = {out}[0] if {out} else None")
        return Access((*setup, *loop), out, inside, where, _uses(out, step.match))

    def _selected(
        self, step: Step, parent: Frame
    ) -> tuple[tuple[str, ...], str, tuple[Match, ...]]:
        """Segments by their simple conditions, through an index built once for each parent."""
        asked = tuple(match for match in step.match if not match.written_only)
        simple = [match for match in asked if not match.negated and len(match.values) == 1]
        segments = _segments(step, parent.var, "()")
        if not simple:
            return (), segments, asked
        rest = tuple(match for match in asked if match not in simple)
        paths = tuple(match.path for match in simple)
        numbers = [str(number) for path in paths for number in (*path, "")]
        memo = "_".join([parent.var, str(step.key), *numbers])
        setup: tuple[str, ...] = ()
        if memo not in parent.memo:
            parent.memo[memo] = memo
            setup = (f"{memo} = by({segments}, {paths!r}, CS, SS)",)
        values = tuple(match.values[0] for match in simple)
        return setup, f"{memo}.get({values!r}, ())", rest

    def _read_repetition(self, step: Step, up: str, out: str, where: str) -> Access:
        if not step.match:
            if step.key == 0:
                return Access(
                    (f"{out} = {up}.partition(RS)[0] if RS in {up} else {up}",), "", (), where
                )
            line = f"{out} = {up}.split(RS)"
            pick = f"{out} = {out}[{step.key}] if len({out}) > {step.key} else ''"
            return Access((line, pick), out, (), where)
        loop = (
            f"for {out} in {up}.split(RS):",
            f"    if {_all(out, step.match, 'within')}: break",
            f"else: {out} = ''",
        )
        where = f"({up}_w + (rep_of({up}, {out}, RS),))"
        return Access(loop, out, (), where, _uses(out, step.match, within=True))

    def _read_part(self, step: Step, parent: Frame, out: str, mark: str, where: str) -> Access:
        split = f"{parent.var}_{mark}"
        setup: tuple[str, ...] = ()
        if split not in parent.memo:
            parent.memo[split] = split
            setup = (f"{split} = {parent.var}.split({mark})",)
        number = int(step.key or 1)
        if number == 1:
            line = f"{out} = {split}[0]"
        else:
            line = f"{out} = {split}[{number - 1}] if len({split}) >= {number} else ''"
        return Access((*setup, line), out, (), where)

    def loop(self, step: Step, parent: Frame, out: str, trace: bool) -> Access:
        """See `Notation.loop`."""
        if step.kind in ("seg", "kid"):
            setup, source, rest = self._selected(step, parent)
            inside = [f"if not ({_all(out, rest)}): continue"] if rest else []
            inside.append(f"{out}_n = len({out})")
            uses = _uses(out, step.match)
            return Access(setup, f"for {out} in {source}:", tuple(inside), f"({out}[0].at,)", uses)
        inside = [f"if not {out}: continue"]
        if step.match:
            inside.append(f"if not ({_all(out, step.match, 'within')}): continue")
        if trace:
            header = f"for {out}_i, {out} in enumerate({parent.var}.split(RS)):"
            where = f"({parent.var}_w + ({out}_i,))"
            return Access((), header, tuple(inside), where, _uses(out, step.match, within=True))
        return Access((), f"for {out} in {parent.var}.split(RS):", tuple(inside))

    # -- writing ------------------------------------------------------------------------------

    def begin_write(self, trace: bool) -> Sequence[str]:
        """The root is a list of segments."""
        return ("out = []",)

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
        if node.shape == "segment":
            lines = [f"{node.var} = {{}}"]
            if any(step.kind == "kid" for step in node.children):
                lines.append(f"{node.var}_k = []")
            return lines
        if node.shape == "single":
            return ()
        return (f"{node.var} = {'[]' if node.shape == 'list' else '{}'}",)

    def filled(self, node: Node) -> str:
        """See `Notation.filled`."""
        if node.shape == "single":
            return "False"
        if node.shape == "segment" and any(step.kind == "kid" for step in node.children):
            return f"({node.var} or {node.var}_k)"
        return node.var

    def absent(self, node: Node) -> str:
        """See `Notation.absent`."""
        container, key = self._container(node)
        return f"{key} not in {container}" if key is not None else f"not {container}"

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

    def attach(self, node: Node, trace: bool) -> Sequence[str]:
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
            lines.append(f"{node.var}[{field}] = fill({node.var}.get({field}), {tuple(parts)!r})")
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


def _segments(step: Step, up: str, otherwise: str = "") -> str:
    source = f"{up}[0]" if step.kind == "kid" else up
    return f"{source}.get({step.key!r}{', ' + otherwise if otherwise else ''})"


def _all(var: str, matches: Sequence[Match], function: str = "part") -> str:
    tests = []
    for match in matches:
        if match.written_only:
            continue
        value = f"{function}({var}, {match.path!r}, CS, SS)"
        if len(match.values) == 1:
            tests.append(f"{value} {'!=' if match.negated else '=='} {match.values[0]!r}")
        else:
            tests.append(f"{value} {'not in' if match.negated else 'in'} {match.values!r}")
    return " and ".join(tests) or "True"


def _uses(
    out: str, matches: Sequence[Match], *, within: bool = False
) -> tuple[tuple[str, str], ...]:
    """The leaves that selectors look at: they are written again through the same selector."""
    found = []
    for match in matches:
        if match.negated:
            continue
        path = tuple(int(number) for number in match.path)
        if not within:
            path = (path[0], 0, *path[1:])
        full = 2 if within else 4
        path = (*path, *(1,) * (full - len(path)))
        found.append((f"({out}_w + {path!r})", repr(match.values)))
    return tuple(found)


def _filled_in(node: Node) -> list[str]:
    lines = []
    for match in node.step.match:
        if not match.negated:
            key = match.path[0]
            lines.append(f"if {key} not in {node.var}: {node.var}[{key}] = {match.values[0]!r}")
    return lines


def _selector(text: str, offset: int) -> tuple[Match, ...]:
    found = []
    for condition in re.split(r",(?=[\d.]+[!:]?=)", text):
        name, values, negated, written = selector(condition, offset)
        if not re.fullmatch(r"\d+(?:\.\d+)*", name):
            raise PathError(
                "a selector is [field.component=value]", fix="write [1.1=RP]", offset=offset
            )
        path = tuple(int(number) for number in name.split("."))
        found.append(Match(path, values, negated, written))
    return tuple(found)
