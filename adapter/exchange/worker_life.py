"""How the workers of a cluster know which of them live, and take over the jobs of the others.

Each process holds an advisory lock for each of its Procrastinate workers, on a connection that does
nothing else. When a process ends, however it ends, its sockets close, PostgreSQL lets go of the
locks, and the others see within a second that its jobs are nobody's. A machine that vanished from
the network closes nothing; what tells then is the heartbeat, which is why it is asked as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from adapter.store import lane_jobs

LOOK_SECONDS = 0.5


class WorkerLife:
    """The connection of one process."""

    def __init__(self, connection: AsyncConnection[tuple[object, ...]]) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._log = structlog.get_logger("cluster")

    async def hold(self, worker: int) -> None:
        """From now on this worker lives, until the connection ends."""
        async with self._turn:
            await self._connection.execute(lane_jobs.HOLD, {"worker": worker})

    async def look_after(self, gone: timedelta, stalled: timedelta) -> None:
        """Requeue the jobs of workers that are gone, for ever.

        Args:
            gone: a worker whose lock is free is gone if its last heartbeat is older than this.
            stalled: one whose last heartbeat is older than this is gone, locked or not.

        Raises:
            psycopg.Error: the connection ended: this process no longer shows that it lives.
        """
        ages = {"gone": gone, "stalled": stalled}
        while True:
            for (site,) in await self._taken_over(ages):
                self._log.warning("cluster.job-taken-over", site=site)
            await asyncio.sleep(LOOK_SECONDS)

    async def _taken_over(self, ages: dict[str, timedelta]) -> list[tuple[object, ...]]:
        async with self._turn:
            try:
                cursor = await self._connection.execute(lane_jobs.TAKE_OVER, ages)
                return await cursor.fetchall()
            except UniqueViolation:
                return []  # its lane got another job this moment; the next look sees that


@asynccontextmanager
async def living(address: str) -> AsyncIterator[WorkerLife]:
    """A connection of its own, in the running event loop.

    Raises:
        psycopg.Error: the server cannot be reached.
    """
    connection = await AsyncConnection.connect(
        address, autocommit=True, connect_timeout=5, application_name="adapter life"
    )
    async with connection:
        yield WorkerLife(connection)
