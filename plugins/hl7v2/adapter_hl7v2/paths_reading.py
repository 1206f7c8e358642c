"""Reading HL7 v2 paths in emitted source: segments through an index, parts only where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adapter.plugin.formats import Access, Frame, Match, Step
from adapter_hl7v2 import er7, times
from adapter_hl7v2.environment import plain, unlines, when
from adapter_hl7v2.sorting import Selectors, sorters


class Er7Reading:
    """How each step of a path is read; see `adapter.plugin.formats.Notation`."""

    groups: Mapping[str, tuple[str, ...]]
    rank: Mapping[str, int]
    asked: dict[str, Selectors]
    sizes: set[int]

    def runtime(self) -> Mapping[str, Any]:
        """Names for the emitted source."""
        return {
            "GROUPS": er7.groups_of(self.groups, self.rank),
            "index": er7.index,
            **sorters(self.asked),
            **{f"B{size}": [""] * size for size in self.sizes},
            "part": er7.part,
            "within": er7.within,
            "build": er7.build,
            "fill": er7.fill,
            "rep_of": er7.rep_of,
            "plain": plain,
            "iso": times.iso,
            "v2": times.v2,
            "when": when,
            "unlines": unlines,
        }

    def begin_read(self, trace: bool) -> Sequence[str]:
        """The index of the message, and its delimiters."""
        lines = [
            "CS = env.cs",
            "ZONE = env.zone",
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
            return Access((line,), out, (), where)
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
        found = self._selected(step, parent)
        lines: tuple[str, ...]
        if found.rest:
            lines = (
                f"for {out} in {found.segments}:",
                f"    if {_all(out, found.rest)}: break",
                f"else: {out} = None",
            )
        else:
            lines = (f"{out} = {found.segments}", f"{out} = {out}[0] if {out} else None")
        return Access((*found.setup, *lines), out, inside, where, _uses(out, step.match))

    def _selected(self, step: Step, parent: Frame) -> _Selected:
        """Segments that a selector means, out of those that were sorted for all selectors once."""
        name = str(step.key)
        found = f"{parent.var}_{name}_s"
        setup: tuple[str, ...] = ()
        if found not in parent.memo:
            parent.memo[found] = found
            setup = (f"{found} = sort_{name}({_segments(step, parent.var, '()')}, CS, SS)",)
        selectors = self.asked.setdefault(name, Selectors())
        asked = tuple(match for match in step.match if not match.written_only)
        simple = [match for match in asked if not match.negated and len(match.values) == 1]
        if not simple:
            return _Selected(setup, f"{found}[{selectors.by_conditions(asked)}]", ())
        slot, key = selectors.by_values(simple)
        rest = tuple(match for match in asked if match not in simple)
        return _Selected(setup, f"{found}[{slot}].get({key!r}, ())", rest)

    def _loop_segments(self, step: Step, parent: Frame, out: str) -> Access:
        where, uses = f"({out}[0].at,)", _uses(out, step.match)
        inside: tuple[str, ...] = (f"{out}_n = len({out})",)
        if not step.match:
            source = _segments(step, parent.var, "()")
            return Access((), f"for {out} in {source}:", inside, where, uses)
        found = self._selected(step, parent)
        if found.rest:
            inside = (f"if not ({_all(out, found.rest)}): continue", *inside)
        return Access(found.setup, f"for {out} in {found.segments}:", inside, where, uses)

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
            return self._loop_segments(step, parent, out)
        inside = [f"if not {out}: continue"]
        if step.match:
            inside.append(f"if not ({_all(out, step.match, 'within')}): continue")
        if trace:
            header = f"for {out}_i, {out} in enumerate({parent.var}.split(RS)):"
            where = f"({parent.var}_w + ({out}_i,))"
            return Access((), header, tuple(inside), where, _uses(out, step.match, within=True))
        return Access((), f"for {out} in {parent.var}.split(RS):", tuple(inside))


class _Selected(NamedTuple):
    """Source that selects segments: statements, the expression of them, what is still asked."""

    setup: tuple[str, ...]
    segments: str
    rest: tuple[Match, ...]


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
