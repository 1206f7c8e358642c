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
from procrastinate.connector import BaseAsyncConnector
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
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


class LivingJobs(JobManager):
    """Procrastinate's jobs, where no worker takes one before it shows that it lives.

    A job whose end cannot be written would be a living worker's for ever, and its lane would stand.
    So that is the end of this worker, and its jobs are taken over.
    """

    life: WorkerLife

    def __init__(self, connector: BaseAsyncConnector) -> None:
        super().__init__(connector)
        self._log = structlog.get_logger("cluster")
        self._unfinished = asyncio.Event()

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Write that a job ended; one that was broken off is left to be taken over."""
        if status == Status.ABORTED:
            return
        try:
            await super().finish_job(job, status, delete_job)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else looks at it
            self._log.warning("cluster.job-not-finished", error=type(error).__name__)
            self._unfinished.set()

    async def unfinished(self) -> None:
        """Return when the end of a job could not be written."""
        await self._unfinished.wait()

    async def register_worker(self) -> int:
        """The id of a new worker, held."""
        worker = await super().register_worker()
        await self.life.hold(worker)
        return worker


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
