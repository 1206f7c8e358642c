"""Progress of long work: a line on stderr now and then, none where the work is short."""

from __future__ import annotations

import time

from adapter.cli.printing import say

PAUSE_SECONDS = 2.0


class Progress:
    """Says how far a work is, at most every two seconds."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PAUSE_SECONDS

    def __call__(self, what: str, done: int) -> None:
        """`done` of `what` is done."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + PAUSE_SECONDS
            say(f"  {what}: {done} done")
