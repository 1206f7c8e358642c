"""What a search goes on with after its first page: what was there when it began, each once.

A search walks by the place that the newest version of a resource has, and a write gives it a new
one. So a page after the first looks at the places as they stood when the search began: what was
changed since is at its old place, as it is now, if it still fits; what was made since is not there.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from adapter.api.caller import Caller
from adapter.api.query import Query, walk
from adapter.store.resources import ResourceRow


class Standing(NamedTuple):
    """A resource that fits: its place, what it is sorted by, and what is shown of it."""

    place: int
    sorted_by: ResourceRow
    shown: ResourceRow


def standing(caller: Caller, query: Query, after: int = 0, until: int = 0) -> Iterator[Standing]:
    """Everything that fits from a place on; `until` is the last place when the search began."""
    found = (Standing(place, row, row) for place, row in walk(caller, query, after))
    if not until:
        return found
    before: Iterator[Standing] = (
        filter(lambda each: each.place <= until, found)
        if query.newest_first
        else takewhile(lambda each: each.place <= until, found)
    )
    moved = sorted(_moved(caller, query, after, until), reverse=query.newest_first, key=_place)
    return heapq.merge(before, moved, key=_place, reverse=query.newest_first)


def now(caller: Caller, kind: str) -> int:
    """The last place that a resource of a type has now."""
    rows = caller.tx.resources.search(kind, newest_first=True, limit=1)
    return rows[0][0] if rows else 0


def _moved(caller: Caller, query: Query, after: int, until: int) -> Iterator[Standing]:
    """What has another place by now, at the one that it had."""
    for place, old in caller.tx.resources.superseded(query.kind, until):
        if after and (place >= after if query.newest_first else place <= after):
            continue
        was = caller.compartment.shown(old)
        shown = caller.get(query.kind, old.id)
        if was is not None and shown is not None and query.fits(shown):
            yield Standing(place, was, shown)


def _place(one: Standing) -> int:
    return one.place
