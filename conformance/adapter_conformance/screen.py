"""What a plugin prints while it is examined: kept for the requirement about it, shown to nobody.

Standard output is the report's. A check that never ends leaves its thread behind; who called it
puts the streams back all the same.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Screen(io.StringIO):
    """A text stream in the place of standard output and error."""


@contextmanager
def screened() -> Iterator[Screen]:
    """Keep what is printed for as long as it lasts."""
    before = sys.stdout, sys.stderr
    screen = Screen()
    sys.stdout = sys.stderr = screen
    try:
        yield screen
    finally:
        sys.stdout, sys.stderr = before


def printed() -> str:
    """What was printed since the innermost `screened` began; empty outside of one."""
    return sys.stdout.getvalue() if isinstance(sys.stdout, Screen) else ""
