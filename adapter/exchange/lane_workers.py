"""Procrastinate's workers of one process, from a connection to the database until it is lost.

When the database goes away nothing of theirs can be finished, so that nobody waits for it: all are
ended at once, and started anew as soon as it answers. What was being sent goes on meanwhile in the
service's own event loop; its job is taken up again by who looks after the jobs of the dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import psycopg_pool
from procrastinate import App, PsycopgConnector
from procrastinate.worker import Worker

from adapter.exchange.lane_hands import TASK, LaneHands
from adapter.exchange.worker_life import WorkerLife, living

HEARTBEAT_SECONDS = 1.0
STALLED_SECONDS = 5.0
POLL_SECONDS = 1.0
FRESH = timedelta(seconds=STALLED_SECONDS)
GONE = timedelta(seconds=1.5 * HEARTBEAT_SECONDS)
_END_SECONDS = 1.0


class LaneWorkers:
    """One worker for each group of sites."""

    def __init__(
        self,
        address: str,
        groups: Sequence[Sequence[str]],
        hands: Callable[[PsycopgConnector], LaneHands],
        *,
        per_site: int,
    ) -> None:
        self._address = address
        self._groups = groups
        self._hands = hands
        self._per_site = per_site
        self.grace = 0.0
        """How many seconds jobs have to end when `run` is cancelled."""

    async def run(self) -> None:
        """Work until cancelled.

        Raises:
            psycopg.Error, ConnectorException, ConnectionError: the database went away.
            StoreFault: the store found that out first.
        """
        # The connection that shows that we live comes first: it fails at once where the pool's
        # would be tried again after a second, two, four.
        async with living(self._address) as life:
            connector = _connector(self._address)
            app = App(connector=connector)
            async with app.open_async():
                app.job_manager = hands = self._hands(connector)
                app.task(name=TASK)(hands.deliver)
                hands.life = life
                await self._work(app, connector, life, hands)

    async def _work(
        self, app: App, connector: PsycopgConnector, life: WorkerLife, hands: LaneHands
    ) -> None:
        workers = [self._worker(app, sites) for sites in self._groups]
        running = [asyncio.ensure_future(_run(worker)) for worker in workers]
        watching = [
            asyncio.ensure_future(life.look_after(GONE, FRESH)),
            asyncio.ensure_future(hands.unfinished()),
        ]
        try:
            ended, _ = await asyncio.wait(
                [*running, *watching], return_when=asyncio.FIRST_COMPLETED
            )
        except asyncio.CancelledError:
            for worker in workers:
                worker.shutdown_graceful_timeout = self.grace
            await _end(running, self.grace + _END_SECONDS)
            await _end(watching, _END_SECONDS)
            raise
        # Without its pool no worker waits for a server that is not there.
        await connector.pool.close(timeout=0.1)
        await _end([*running, *watching], _END_SECONDS)
        for each in ended:
            each.result()
        raise ConnectionError("a worker ended by itself")

    def _worker(self, app: App, sites: Sequence[str]) -> Worker:
        return Worker(
            app=app,
            queues=sites,
            concurrency=self._per_site * len(sites),
            fetch_job_polling_interval=POLL_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_SECONDS,
            shutdown_graceful_timeout=0.0,
            delete_jobs="always",
            install_signal_handlers=False,
        )


async def _run(worker: Worker) -> None:
    await worker.run()  # type: ignore[no-untyped-call]


async def _end(tasks: Sequence[asyncio.Future[None]], seconds: float) -> None:
    """Cancel them, and wait so long; what they raise then is that they were ended."""
    for each in tasks:
        each.cancel()
    if not tasks:
        return
    done, _late = await asyncio.wait(tasks, timeout=seconds)
    for each in done:
        with suppress(asyncio.CancelledError):
            each.exception()


def _connector(address: str) -> PsycopgConnector:
    return PsycopgConnector(
        conninfo=address,
        pool_factory=_pool,
        min_size=1,
        max_size=4,
        reconnect_timeout=1.0,
        timeout=5.0,
        configure=_quick,
        kwargs={"application_name": "adapter lanes", "connect_timeout": 5},
    )


async def _quick(connection: psycopg.AsyncConnection[Any]) -> None:
    """Each of Procrastinate's questions is one statement: without a transaction around it, it costs
    one way to the server and back instead of three.

    Nor does it wait for the disk. What is lost when the server crashes within the next second is a
    heartbeat, or the end of a job that could not be written with what became of its lane; then the
    job is run again and finds its lane as the store has it.
    """
    await connection.set_autocommit(True)
    await connection.execute("SET synchronous_commit = off")


def _pool(**settings: Any) -> psycopg_pool.AsyncConnectionPool:
    """A pool that does not ask a connection whether it is alive before each use: when one is not,
    the database was away, and everything is opened anew."""
    return psycopg_pool.AsyncConnectionPool(**settings | {"check": None})
