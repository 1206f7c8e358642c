"""What a plugin prints is not shown: it may hold a secret or a person's name, and stdout is ours.

While a service runs, standard output and error tell whose code writes to them. What a plugin's code
writes is dropped and counted in the log, by plugin, without a word of it. What a plugin writes past
Python (a file descriptor, a child process) is beyond this.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from adapter.exchange.owners import Owners
from adapter.exchange.unheard import tell


class GuardedStream:
    """A text stream in front of another; everything but `write` is the other's."""

    def __init__(self, stream: Any, owners: Owners) -> None:
        self._stream = stream
        self._owners = owners

    def write(self, text: str) -> int:
        """Write, unless a plugin's code does it."""
        plugin = self._owners.writer(sys._getframe(1))
        if plugin is None:
            return int(self._stream.write(text) or 0)
        if text.strip():
            tell(plugin, len(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guarded_streams(owners: Owners) -> Iterator[None]:
    """Guard standard output and error for as long as it lasts."""
    before = sys.stdout, sys.stderr
    ours: list[Any] = [GuardedStream(stream, owners) for stream in before]
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        if [sys.stdout, sys.stderr] == ours:  # else somebody else has put theirs there meanwhile
            sys.stdout, sys.stderr = before
