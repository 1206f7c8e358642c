"""`_sort` by what resources say (FHIR R4 3.1.1.5.1): keys to compare and to go on from.

What has no value of a key comes last in either direction; what is equal stays in the order in which
it was written. A page goes on after the key of the last resource, so that nothing that was changed,
added or left out in between makes a resource come twice or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cmp_to_key
from typing import Any

from adapter.api.comparisons import codings, folded, stretch, values
from adapter.api.parameters import Json, Parameter

Key = list[Any]
"""A pair ``[missing, text]`` for each of the orders, then the place in the store."""


@dataclass(frozen=True, slots=True)
class Order:
    """One part of `_sort`: by what, and whether backwards."""

    by: Parameter
    descending: bool


def key_of(orders: Sequence[Order], content: Json, place: int) -> Key:
    """Where a resource stands."""
    return [*(_part(each, content) for each in orders), place]


def sorted_by(orders: Sequence[Order], found: list[tuple[Key, Any]]) -> list[tuple[Key, Any]]:
    """In order."""
    compare = cmp_to_key(lambda a, b: _compared(orders, a, b))
    return sorted(found, key=lambda one: compare(one[0]))


def is_after(orders: Sequence[Order], key: Key, last: Key) -> bool:
    """Whether it comes after the last one of a page."""
    return _compared(orders, key, last) > 0


def _compared(orders: Sequence[Order], one: Any, other: Any) -> int:
    for order, (absent, text), (no_other, other_text) in zip(orders, one, other, strict=False):
        if absent != no_other:
            return 1 if absent else -1
        if text != other_text:
            return 1 if (text > other_text) is not order.descending else -1
    place, other_place = int(one[-1]), int(other[-1])
    return (place > other_place) - (place < other_place)


def _part(order: Order, content: Json) -> list[Any]:
    found = [
        text
        for path in order.by.paths
        for value in values(content, path)
        for text in _texts(order, value)
    ]
    if not found:
        return [True, ""]
    return [False, max(found) if order.descending else min(found)]


def _texts(order: Order, value: Any) -> list[str]:
    """What is compared of a value; a date by its first moment, or backwards by its last."""
    if order.by.kind == "date":
        try:
            moment = stretch(value)[order.descending]
        except (ValueError, OverflowError):
            return []
        return [moment.astimezone(UTC).isoformat(timespec="microseconds")]
    if order.by.kind == "reference":
        said = value.get("reference") if isinstance(value, dict) else value
        return [said] if isinstance(said, str) else []
    if order.by.kind == "token":
        return [code.casefold() for _, code in codings(value) if code]
    return [folded(value)] if isinstance(value, str) else []
