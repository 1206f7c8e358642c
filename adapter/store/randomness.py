"""Random bytes for ids and nonces, fetched from the system a page at a time.

Each call to the system lets go of the interpreter. Beside a busy event loop, a thread that asks for
twelve bytes waits for its turn again, and a message needs random bytes a dozen times. Keys are not
made from this: they come from the system, one by one, and no copy of them stays in a page.
"""

from __future__ import annotations

import os
import threading

_PAGE = 4096


class _Page(threading.local):
    """What one thread has fetched; no two threads use the same bytes."""

    def __init__(self) -> None:
        self.data = b""
        self.used = 0
        self.process = 0


_page = _Page()
_process = [0]
os.register_at_fork(after_in_child=lambda: _process.__setitem__(0, _process[0] + 1))


def fresh(size: int) -> bytes:
    """So many random bytes, given out once; a forked process never gives out its parent's."""
    page = _page
    start, end = page.used, page.used + size
    if end > len(page.data) or page.process != _process[0]:
        page.data = os.urandom(max(_PAGE, size))
        page.process = _process[0]
        start, end = 0, size
    page.used = end
    return page.data[start:end]
