"""What a plugin prints while it is loaded: dropped, and counted in the log without a word of it."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def unheard(plugin: str) -> Iterator[None]:
    """Drop what is printed for as long as it lasts: standard output is ours, for scripts."""
    before, sink = (sys.stdout, sys.stderr), io.StringIO()
    sys.stdout = sys.stderr = sink
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        if sink.getvalue().strip():
            tell(plugin, len(sink.getvalue()))


def tell(plugin: str, characters: int) -> None:
    """To the log of a service. A command has none, and what is on its screen is its own."""
    if structlog.is_configured():
        log = structlog.get_logger("plugin")
        log.warning("plugin.printed", plugin=plugin, characters=characters)
