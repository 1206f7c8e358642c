"""Items of a JSON list, sorted once by what several selectors of a map ask of them.

A map may look at one list of extensions or outputs thirty times, each time for another
``[url=...]``. Where the emitted source knows that (`Frame.wanted`), it goes through the list once
and finds every item by its value from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from adapter.plugin.formats import Frame, Match, Step

ENOUGH = 3  # selectors for which sorting takes less time than looking through the list for each

Path = tuple[str | int, ...]


class Sorted(NamedTuple):
    """Source that gives the items of a selector.

    `setup` are statements that run before it, `items` is the expression of those with the value
    that the list is sorted by, and `rest` are the conditions that are still to be tested.
    """

    setup: tuple[str, ...]
    items: str
    rest: tuple[Match, ...]


def sorted_items(step: Step, parent: Frame, items: str, name: str) -> Sorted | None:
    """How to find the items of a selector in the list of the expression `items`, sorted.

    `name` tells this list from the others that the frame knows. None if too few selectors ask for
    the same of it.
    """
    for match in step.match:
        if not _sortable(match):
            continue
        alike = [each for each in parent.wanted if (each.kind, each.key) in _kin(step)]
        if sum(any(_same(one, match) for one in each.match) for each in alike) < ENOUGH:
            continue
        by = f"{name}_{words(match.path)}"
        setup: tuple[str, ...] = ()
        if by not in parent.memo:
            parent.memo[by] = by
            setup = (f"{by} = {sorter_name(match.path)}({items})",)
        rest = tuple(one for one in step.match if one is not match and not one.written_only)
        return Sorted(setup, f"{by}.get({match.values[0]!r}, ())", rest)
    return None


def _kin(step: Step) -> Sequence[tuple[str, str | int | None]]:
    """The kinds of steps that look through the same list: for one item, or for all."""
    if step.kind in ("match", "items"):
        return (("match", None), ("items", None))
    return ((step.kind, step.key),)


def _sortable(match: Match) -> bool:
    return len(match.values) == 1 and not match.negated and not match.written_only


def _same(one: Match, other: Match) -> bool:
    return _sortable(one) and one.path == other.path


def words(path: Sequence[str | int]) -> str:
    """A path as part of a name in emitted source."""
    text = "_".join(map(str, path))
    return text if text.isidentifier() else text.encode().hex()


def sorter_name(path: Path) -> str:
    """The name, in emitted source, of the function that sorts by what is at a path."""
    return f"by_{words(path)}"


def sorters(paths: Iterable[Path]) -> Mapping[str, Callable[[Any], Any]]:
    """The functions that sort by these paths, by their names in emitted source."""
    return {sorter_name(path): _sorter(path) for path in paths}


@cache
def _sorter(path: Path) -> Callable[[Any], Any]:
    """A function from a list to the items of each text that stands at a path of theirs.

    Written out, as `json_paths` does for selectors: it runs for every item.
    """
    first, *rest = path
    if rest:
        lines = [
            f"        try: key = item{''.join(f'[{key!r}]' for key in path)}",
            "        except (KeyError, IndexError, TypeError): continue",
        ]
    else:
        lines = [f"        key = item.get({first!r})"]
    source = [
        "def sort(items):",
        "    found = {}",
        "    for item in items:",
        *lines,
        "        if type(key) is not str: continue",
        "        if key in found: found[key].append(item)",
        "        else: found[key] = [item]",
        "    return found",
    ]
    namespace: dict[str, Any] = {}
    exec("\n".join(source), namespace)  # noqa: S102 - generated from names and numbers
    function: Callable[[Any], Any] = namespace["sort"]
    return function
