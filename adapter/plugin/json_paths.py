"""Paths into JSON objects: `name.given[0]`, `identifiers[type=JHN].value`, as text and as source.

A format whose trees are dictionaries and lists takes `JsonNotation` as it is, or overrides
`element` so that paths are checked against its definitions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from adapter.plugin.formats import (
    Access,
    Element,
    Frame,
    Leaf,
    Match,
    PathError,
    Step,
    selector,
)
from adapter.plugin.json_sorting import Sorted, sorted_items, sorters, words
from adapter.plugin.json_writing import JsonWriting

_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")
_PART = re.compile(r"([A-Za-z_$][A-Za-z0-9_$-]*)((?:\[\d+\])*)")


def parse_match(text: str, offset: int) -> tuple[Match, ...]:
    """The conditions between brackets: ``type=JHN``, ``a=x|y,b!=z``."""
    found = []
    for condition in _split(text, ","):
        name, values, negated, written = selector(condition, offset)
        found.append(Match(_match_path(name), values, negated, written))
    return tuple(found)


def _split(text: str, mark: str) -> list[str]:
    # A comma inside a value (a URL, a display) does not end it: only one before `name=` does.
    return re.split(rf"{mark}(?=[\w.\[\]]+[!:]?=)", text)


def _match_path(name: str) -> tuple[str | int, ...]:
    steps: list[str | int] = []
    for part in name.split("."):
        found = _PART.fullmatch(part)
        if found is None:
            steps.append(part)
            continue
        steps.append(found[1])
        steps.extend(int(index) for index in re.findall(r"\d+", found[2]))
    return tuple(steps)


def json_leaves(tree: Any, where: tuple[Any, ...] = (), path: str = "") -> Iterator[Leaf]:
    """Every value of a JSON tree once; empty strings, lists, objects and nulls are no values."""
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from json_leaves(part, (*where, key), f"{path}.{key}" if path else key)
    elif isinstance(tree, list):
        for index, part in enumerate(tree):
            yield from json_leaves(part, (*where, index), f"{path}[{index}]")
    elif tree is not None and tree != "":
        yield Leaf(path, json_text(tree), where)


def json_text(value: Any) -> str:
    """A scalar as its JSON text, strings without quotes."""
    if value is True:
        return "true"
    return "false" if value is False else str(value)


class JsonNotation(JsonWriting):
    """Paths of one JSON tree, read and written."""

    def __init__(self) -> None:
        self.asked: set[tuple[str | int, ...]] = set()  # what selectors look at

    def parse(
        self, text: str, at: tuple[Step, ...] = (), *, each: bool = False
    ) -> tuple[Step, ...]:
        """See `adapter.plugin.formats.Notation.parse`."""
        if text == ".":
            return ()
        steps: list[Step] = []
        position = 0
        while position < len(text):
            position = self._step(text, position, steps)
        if each:
            steps = self._looped(steps, text)
        return tuple(steps)

    def _step(self, text: str, position: int, steps: list[Step]) -> int:
        char = text[position]
        if char == "." and steps and position + 1 < len(text):
            position += 1
        if text[position] == "[":
            end = _closing(text, position)
            inner = text[position + 1 : end]
            if inner.isdigit():
                steps.append(Step("index", int(inner)))
            else:
                steps.append(Step("match", None, parse_match(inner, position)))
            return end + 1
        found = _NAME.match(text, position)
        if found is None:
            raise PathError(
                f"{text[position]!r} cannot stand here in a path",
                fix="write names with dots, [n] or [key=value]",
                offset=position,
            )
        steps.append(self.name_step(found.group(), steps))
        return found.end()

    def name_step(self, name: str, before: Sequence[Step]) -> Step:
        """The step of a plain name; formats with typed roots override this."""
        return Step("key", name)

    def _looped(self, steps: list[Step], text: str) -> list[Step]:
        if steps and steps[-1].kind == "match":
            return [*steps[:-1], Step("items", None, steps[-1].match)]
        if steps and steps[-1].kind == "index":
            raise PathError("a loop goes over all items", fix="leave the [n] away")
        return [*steps, Step("items")]

    def peek(self, tree: Any, steps: tuple[Step, ...]) -> str | None:
        """See `Notation.peek`."""
        keys = tuple(step.key for step in steps if step.kind in ("key", "index"))
        value = find(tree, None, tuple(key for key in keys if key is not None))
        return None if value is None or isinstance(value, dict | list) else json_text(value)

    def element(self, steps: tuple[Step, ...]) -> Element:
        """Nothing is known of a JSON tree without definitions: every place is allowed."""
        return Element()

    def required(self, steps: Sequence[tuple[Step, ...]]) -> Sequence[str]:
        """Nothing is required without definitions."""
        return ()

    def runtime(self) -> Mapping[str, Any]:
        """Names for the emitted source."""
        finders = {_name_of(path): _finder(path) for path in self.asked}
        return {"find": find, **finders, **sorters(self.asked)}

    def begin_read(self, trace: bool) -> Sequence[str]:
        """The tree is the root."""
        return ("root = tree", "root_w = ()") if trace else ("root = tree",)

    def read(self, step: Step, parent: Frame, out: str, trace: bool) -> Access:
        """See `Notation.read`."""
        up = parent.var
        where = f"({up}_w + ({step.key!r},))"
        if step.kind == "key":
            return self._read_key(step, parent, out, where)
        if step.kind == "index":
            line = f"{out} = {up}[{step.key}] if len({up}) > {step.key} else None"
            return Access((line,), f"{out} is not None", (), where)
        if step.kind == "match":
            found = None if trace else self.sorted(step, parent, up, up)
            if found is not None:
                return self.first(found, out)
            lines = (
                f"for {out} in {up}:",
                f"    if {self.matching(out, step.match)}: break",
                f"else: {out} = None",
            )
            where = f"({up}_w + (find({up}, {out}),))"
            return Access(lines, f"{out} is not None", (), where, uses_of(out, step.match))
        raise AssertionError(step)

    def _read_key(self, step: Step, parent: Frame, out: str, where: str) -> Access:
        """The value of a name, if there is one and it is not null.

        The first name that is asked of a value is asked with `get`, which only an object has: any
        other value is refused. The names after it are most often absent, and `in` says so in half
        the time.
        """
        up = parent.var
        if "object" not in parent.memo:
            parent.memo["object"] = up
            return Access((f"{out} = {up}.get({step.key!r})",), f"{out} is not None", (), where)
        guard = f"{step.key!r} in {up} and ({out} := {up}[{step.key!r}]) is not None"
        return Access((), guard, (), where)

    def loop(self, step: Step, parent: Frame, out: str, trace: bool) -> Access:
        """See `Notation.loop`."""
        found = None if trace else self.sorted(step, parent, parent.var, parent.var)
        if found is not None:
            return self.every(found, out)
        inside: tuple[str, ...] = ()
        if step.match:
            inside = (f"if not ({self.matching(out, step.match)}): continue",)
        if trace:
            header = f"for {out}_i, {out} in enumerate({parent.var}):"
            where = f"({parent.var}_w + ({out}_i,))"
            return Access((), header, inside, where, uses_of(out, step.match))
        return Access((), f"for {out} in {parent.var}:", inside)

    def sorted(self, step: Step, parent: Frame, items: str, name: str) -> Sorted | None:
        """See `adapter.plugin.json_sorting.sorted_items`."""
        self.asked.update(match.path for match in step.match)
        return sorted_items(step, parent, items, name)

    def first(self, found: Sorted, out: str) -> Access:
        """The first of sorted items."""
        if not found.rest:
            lines = (*found.setup, f"{out} = {found.items}")
            return Access(lines, out, (f"{out} = {out}[0]",))
        walk = (
            f"for {out} in {found.items}:",
            f"    if {self.matching(out, found.rest)}: break",
            f"else: {out} = None",
        )
        return Access((*found.setup, *walk), f"{out} is not None")

    def every(self, found: Sorted, out: str) -> Access:
        """Each of sorted items."""
        inside: tuple[str, ...] = ()
        if found.rest:
            inside = (f"if not ({self.matching(out, found.rest)}): continue",)
        return Access(found.setup, f"for {out} in {found.items}:", inside)

    def matching(self, var: str, matches: Sequence[Match]) -> str:
        """The expression that is true when the object in `var` satisfies all conditions."""
        asked = [self._matching(var, match) for match in matches if not match.written_only]
        return " and ".join(asked) or "True"

    def _matching(self, var: str, match: Match) -> str:
        if len(match.path) == 1:
            value = f"{var}.get({match.path[0]!r})"
        else:
            self.asked.add(match.path)
            value = f"{_name_of(match.path)}({var})"
        if len(match.values) == 1:
            return f"{value} {'!=' if match.negated else '=='} {match.values[0]!r}"
        return f"{value} {'not in' if match.negated else 'in'} {match.values!r}"

    def part(self, value: Any, where: tuple[Any, ...]) -> Any:
        """See `Notation.part`."""
        return find(value, None, where) if where else value

    def without(self, value: Any, where: tuple[Any, ...]) -> Any:
        """See `Notation.without`."""
        return removed(value, where)


def uses_of(out: str, matches: Sequence[Match]) -> tuple[tuple[str, str], ...]:
    """The places that selectors look at: they are written again through the same selector."""
    return tuple(
        (f"({out}_w + {match.path!r})", repr(match.values))
        for match in matches
        if not match.negated
    )


def _name_of(path: Sequence[str | int]) -> str:
    """The name, in emitted source, of the function that finds what is at a path."""
    return f"find_{words(path)}"


@cache
def _finder(path: tuple[str | int, ...]) -> Callable[[Any], Any]:
    """`find` for one path, written out: selectors ask each item of a list."""
    lines = [
        "def find(value):",
        f"    try: return value{''.join(f'[{key!r}]' for key in path)}",
        "    except (KeyError, IndexError, TypeError): return None",
    ]
    namespace: dict[str, Any] = {}
    exec("\n".join(lines), namespace)  # noqa: S102 - generated from names and numbers
    function: Callable[[Any], Any] = namespace["find"]
    return function


def find(parent: Any, item: Any, path: tuple[str | int, ...] = ()) -> Any:
    """What is at a path under an object, or (without a path) the index of an item in a list."""
    if not path:
        return next((i for i, each in enumerate(parent) if each is item), None)
    for key in path:
        try:
            parent = parent[key]
        except (KeyError, IndexError, TypeError):
            return None
    return parent


def removed(value: Any, where: tuple[Any, ...]) -> Any:
    """A copy of a JSON value without what is at a place in it; None if nothing is left."""
    if not where:
        return None
    key, rest = where[0], where[1:]
    if isinstance(value, dict):
        part = removed(value[key], rest)
        return {k: part if k == key else v for k, v in value.items() if k != key or part} or None
    part = removed(value[key], rest)
    items = [part if n == key else v for n, v in enumerate(value) if n != key or part is not None]
    return items or None


def replaced(value: Any, values: Mapping[tuple[Any, ...], Any], at: tuple[Any, ...] = ()) -> Any:
    """A copy of a JSON value with other scalars at some places."""
    if isinstance(value, dict):
        return {key: replaced(part, values, (*at, key)) for key, part in value.items()}
    if isinstance(value, list):
        return [replaced(part, values, (*at, index)) for index, part in enumerate(value)]
    return values.get(at, value)


def _closing(text: str, start: int) -> int:
    depth = 0
    for position in range(start, len(text)):
        depth += {"[": 1, "]": -1}.get(text[position], 0)
        if depth == 0:
            return position
    raise PathError("a bracket is not closed", fix="close it with ]", offset=start)
