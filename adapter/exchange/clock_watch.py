"""A clock that goes back must not make deliveries wait for a time that never was.

A delivery is due at a time of the machine's clock. When that clock was ahead and is set right, what
was queued meanwhile lies in the future, perhaps years away. Whoever delivers looks once a second
whether the time is earlier than it was, and once at the start, for it may have been set while
nothing ran. Order is never by time: lanes and the journal have numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from adapter.exchange.clock import Clock
from adapter.exchange.retry import JITTER, SCHEDULE
from adapter.plugin.errors import AdapterError
from adapter.store.store import Store

EVERY = 1.0
SLACK = timedelta(seconds=1)
LONGEST = timedelta(seconds=SCHEDULE[-1] * (1 + JITTER))
"""No next try is set later than this."""


class ClockWatch:
    """Watches one clock for one store; `wake` is called when something became due."""

    def __init__(self, store: Store, clock: Clock, wake: Callable[[], None]) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._log = structlog.get_logger("clock")

    async def run(self) -> None:
        """Watch until cancelled."""
        before = self._clock.now()
        todo: datetime | None = before + LONGEST
        while True:
            if todo is not None and await self._recall(todo):
                todo = None
            await asyncio.sleep(EVERY)
            now = self._clock.now()
            if now < before - SLACK:
                seconds = (before - now).total_seconds()
                self._log.warning("clock.went-back", seconds=round(seconds))
                todo = now
            before = now

    async def _recall(self, horizon: datetime) -> bool:
        """True if it could be done."""
        try:
            found = await self._store.write(lambda tx: tx.outbox.recall(self._clock.now(), horizon))
        except AdapterError as error:
            self._log.warning("clock.store-unavailable", code=error.code)
            return False
        if found:
            self._log.warning("clock.deliveries-recalled", count=found)
            self._wake()
        return True
