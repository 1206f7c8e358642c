"""Waiting for a store that is away: it is looked for often, by one for all, and found soon.

An outage of our own store must not cost what an outage of a peer costs: no schedule of retries, no
word about a site. Whoever could not write waits here, and all go on together when it answers.
"""

from __future__ import annotations

import asyncio
import random

from adapter.store.errors import StoreFault
from adapter.store.store import Store

_LOOK_SECONDS = 0.1
_MOST_SECONDS = 1.0


class Comeback:
    """The wait of one event loop for one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looking: asyncio.Task[None] | None = None
        self._given_up = asyncio.Event()

    async def wait(self, tried: int = 0) -> None:
        """Return when the store answers a question again, or when nobody waits any more.

        Args:
            tried: how often the caller failed before, though the store answered questions: a disk
                that is full still can be read. The more often, the longer the pause, up to a
                second.
        """
        pause = min(_MOST_SECONDS, _LOOK_SECONDS * 2 ** min(tried, 8)) * _chance(0.5)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await asyncio.gather(self._pause(pause), asyncio.shield(self._looking))

    def give_up(self) -> None:
        """Let everybody go on now, and never wait again: the service is stopping."""
        self._given_up.set()

    async def _look(self) -> None:
        while not self._given_up.is_set():
            try:
                await self._store.read(lambda tx: tx.session.key_is_proven())
            except StoreFault as error:
                if error.code == "store.closed":
                    return
                await self._pause(_LOOK_SECONDS * _chance(1.0))
            else:
                return

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._given_up.wait(), seconds)
        except TimeoutError:
            return


def _chance(least: float) -> float:
    """So that several processes do not all come at once."""
    return least + random.random() / 2  # noqa: S311 - keeps no secret
