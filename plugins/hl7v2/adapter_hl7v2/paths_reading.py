"""Reading HL7 v2 paths in emitted source: segments through an index, parts only where asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapter.plugin.formats import Access, Frame, Match, Step
from adapter_hl7v2 import er7
from adapter_hl7v2.environment import plain


class Er7Reading:
    """How each step of a path is read; see `adapter.plugin.formats.Notation`."""

    groups: Mapping[str, tuple[str, ...]]
    rank: Mapping[str, int]

    def runtime(self) -> Mapping[str, Any]:
        """Names for the emitted source."""
        heads: dict[str, frozenset[str]] = {
            kid: frozenset() for kids in self.groups.values() for kid in kids
        }
        for head, kids in self.groups.items():
            for kid in kids:
                heads[kid] = heads.get(kid, frozenset()) | {head}
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
        loop: tuple[str, ...] = (
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
