"""What came is shown to hl7apy after its acknowledgement, without slowing that of the next.

To tell whether a shape was looked at takes as long as to read a message. So it is done now and
then, for what came meanwhile: where more comes than is looked at, the rest is left out. A sender's
messages are of few shapes, and one that was left out comes again.
"""

from __future__ import annotations

import asyncio
from collections import deque

from adapter.plugin import Log
from adapter_hl7v2.verifier import MOST_WAITING, shared

PAUSE_SECONDS = 0.02
"""With `MOST_WAITING` messages a time, at most a few hundredths of the event loop's time."""


class Reviewer:
    """Looks at what came to one site."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: deque[tuple[bytes, str]] = deque()
        self._task: asyncio.Task[None] | None = None

    def add(self, raw: bytes, kind: str) -> None:
        """Have a message looked at, unless too many wait."""
        if len(self._waiting) >= MOST_WAITING:
            return
        self._waiting.append((raw, kind))
        if self._task is None:
            self._task = asyncio.create_task(self._look())

    async def settled(self) -> None:
        """Return when nothing waits."""
        if self._task is not None:
            await self._task

    def close(self) -> None:
        """Look no more."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def _look(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(PAUSE_SECONDS)
                for _ in range(len(self._waiting)):
                    raw, kind = self._waiting.popleft()
                    await shared().report(raw, self._log, kind)
        finally:
            self._task = None
