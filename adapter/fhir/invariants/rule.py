"""The shape of an invariant, and the words its tests are written in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapter.fhir.outcome import ERROR

Node = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule of R4 that a type's definition names by id.

    `test` gets the element as a dict whose structure is good, and says whether the rule holds.
    `on` lists the properties that make the rule matter (a choice as `value[x]`); without any it
    always does. `at` is the child that an issue points at, or "" for the element itself.
    """

    key: str
    text: str
    test: Callable[[Node], bool]
    on: tuple[str, ...] = ()
    at: str = ""
    severity: str = ERROR

    def matters(self, names: frozenset[str]) -> bool:
        """Whether an element with these JSON properties could break the rule."""
        return not self.on or any(present(names, name) for name in self.on)


def present(names: frozenset[str], name: str) -> bool:
    """Whether a property, its `_` sibling or any concrete name of a choice is among `names`."""
    if not name.endswith("[x]"):
        return name in names or f"_{name}" in names
    stem = name[:-3]
    return any(_is_choice(key.removeprefix("_"), stem) for key in names)


def _is_choice(key: str, stem: str) -> bool:
    return key.startswith(stem) and key[len(stem) : len(stem) + 1].isupper()


def has(node: Node, *names: str) -> bool:
    """Whether any of the properties is there: with a value or with extensions only."""
    return any(name in node or f"_{name}" in node for name in names)


def has_choice(node: Node, stem: str) -> bool:
    """Whether any concrete name of the choice `stem[x]` is there."""
    return any(_is_choice(key.removeprefix("_"), stem) for key in node)


def each(node: Node, name: str) -> Iterator[Node]:
    """Yield the objects of a repeating child."""
    for item in node.get(name) or ():
        if type(item) is dict:
            yield item


def codings(node: Node, name: str) -> Iterator[tuple[str | None, str | None]]:
    """Yield (system, code) of each coding of a CodeableConcept child."""
    for coding in each(node.get(name) or {}, "coding"):
        yield coding.get("system"), coding.get("code")


def distinct(values: list[Any]) -> bool:
    """Whether no value occurs twice."""
    return len(set(values)) == len(values)


def in_order(start: Any, end: Any) -> bool:
    """Whether start is not after end, as far as their precisions allow to say.

    Two times compare as moments; otherwise only what both state is compared (2026 and 2026-01).
    """
    if type(start) is not str or type(end) is not str:
        return True
    if "T" in start and "T" in end:
        first, last = _moment(start), _moment(end)
        return first is None or last is None or first <= last
    size = min(len(start.partition("T")[0]), len(end.partition("T")[0]))
    return start[:size] <= end[:size]


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:  # a leap second: R4 allows second 60, Python does not
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
