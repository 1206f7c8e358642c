"""Places where a test may kill the process or make a step fail.

Two kinds, and both are found by themselves. A named place registers when its module is imported. A
statement is a place as well: while something is armed, every SQL statement that the store is about
to run passes one, called after the work that it belongs to and its number in it, such as
``workbench.one:12:INSERT journal``. So a traced run lists every point of every transaction, and a
new step needs no line in any list.

In production nothing is armed, and passing a place costs one comparison. Nothing outside the tests
arms anything: no setting, no environment variable, no command.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

armed: Callable[[str], None] | None = None
"""What is called with the name of each place passed; None in production."""

_points: set[str] = set()
_here = threading.local()
_TABLE = re.compile(r"(?:INTO|FROM|UPDATE|JOIN)\s+(\w+)")


def point(name: str) -> Callable[[], None]:
    """Register a place; call what is returned when passing it."""
    _points.add(name)

    def passing() -> None:
        if armed is not None:
            armed(name)

    return passing


def names() -> tuple[str, ...]:
    """Every place that is registered, sorted; statements are not among them."""
    return tuple(sorted(_points))


def arm(action: Callable[[str], None] | None) -> None:
    """Call `action` with the name of every place passed from now on; None disarms."""
    global armed
    armed = action


def step(work: Callable[..., Any]) -> None:
    """A work begins in this thread: its statements are numbered from 1. Called only when armed."""
    _here.step, _here.number = _called(work), 0


def statement(sql: str) -> None:
    """A statement is about to run in this thread. Called only when armed."""
    _here.number = number = getattr(_here, "number", 0) + 1
    if armed is not None:
        armed(f"{getattr(_here, 'step', 'store')}:{number}:{_words(sql)}")


def _called(work: Callable[..., Any]) -> str:
    """A work by the function that it was made in: ``module.function``."""
    names = [n for n in getattr(work, "__qualname__", "work").split(".") if not n.startswith("<")]
    return f"{getattr(work, '__module__', '').rpartition('.')[2]}.{names[-1]}"


@lru_cache(maxsize=1024)
def _words(sql: str) -> str:
    """The verb of a statement and its first table."""
    table = _TABLE.search(sql)
    return f"{sql.split(None, 1)[0]} {table.group(1)}" if table else sql
