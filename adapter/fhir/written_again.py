"""Whether a JSON document is what we would write of its value: the cheap proof that it is safe.

If writing the value gives the same bytes, then nothing was lost in reading them: no name stood
twice, no number had more digits than were kept. That is so for what most programs send, compact or
with white space, and writing costs a fraction of a walk over the value in Python.

The levels of nesting are counted on the way. orjson refuses to write more than a fixed number of
them; at the bottom of as many arrays as leave it just the levels that are allowed, a value that is
nested deeper is refused too.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import orjson

_SPACE = b" \t\r\n"
_ENOUGH = 2000


@cache
def most_levels() -> int:
    """The levels of nesting that orjson writes at most, tried out; 0 if it has no such limit."""
    value: list[Any] = []
    for levels in range(1, _ENOUGH):
        try:
            orjson.dumps(value)
        except orjson.JSONEncodeError:
            return levels - 1
        value = [value]
    return 0


class _Nests(threading.local):
    """Arrays in one another, outermost and innermost, by how many; each thread has its own."""

    def __init__(self) -> None:
        self.made: dict[int, tuple[list[Any], list[Any]]] = {}

    def of(self, count: int) -> tuple[list[Any], list[Any]]:
        if count not in self.made:
            inner: list[Any] = []
            outer = inner
            for _ in range(count - 1):
                outer = [outer]
            self.made[count] = outer, inner
        return self.made[count]


_nests = _Nests()


def written_again(value: Any, data: bytes, depth: int) -> bool:
    """Whether writing `value` gives `data`, white space apart, in at most `depth` levels.

    False says nothing: only that the document needs a closer look.
    """
    around = most_levels() - depth
    if around < 1:
        return False
    outer, inner = _nests.of(around)
    inner.append(value)
    try:
        written = orjson.dumps(outer)
    except orjson.JSONEncodeError:
        return False
    finally:
        inner.clear()
    before, after = b"[" * around, b"]" * around
    if written == b"%b%b%b" % (before, data, after):
        return True
    written = written[around:-around]
    if len(written) >= len(data):
        return False
    # White space changes neither names nor numbers. In strings it goes on both sides.
    return written.translate(None, _SPACE) == data.translate(None, _SPACE)
