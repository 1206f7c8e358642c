"""Lanes as jobs, where several processes share the store (PostgreSQL, through Procrastinate).

A job is one lane that is due; its lock is the lane, so that no two workers are ever in one lane. A
trigger of the store makes the job in the transaction that makes the lane due. Each worker shows by
a lock and a heartbeat that it lives (`adapter.exchange.worker_life`); the jobs of one that does not
are taken up by the others. All this runs in a thread of its own: a plugin that holds up the event
loop does not make its worker look dead.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import structlog
from procrastinate import App, PsycopgConnector

from adapter.exchange.clock import Clock
from adapter.exchange.worker_life import LivingJobs, living
from adapter.plugin.errors import AdapterError
from adapter.store import lane_jobs
from adapter.store.store import Store
from adapter.store.transaction import Transaction

HEARTBEAT_SECONDS = 1.0
STALLED_SECONDS = 5.0
SWEEP_SECONDS = 1.0
POLL_SECONDS = 1.0
FRESH = timedelta(seconds=STALLED_SECONDS)
GONE = timedelta(seconds=1.5 * HEARTBEAT_SECONDS)
MOST_WORKERS = 12
"""Each holds one connection for news of jobs; more sites than this share workers."""

Carry = Callable[[str, str], Awaitable[None]]


class Cluster:
    """This process's share of the lanes."""

    def __init__(
        self, *, store: Store, sites: Sequence[str], per_site: int, carry: Carry, clock: Clock
    ) -> None:
        self._store = store
        self._sites = list(sites)
        self._per_site = per_site
        self._carry = carry
        self._clock = clock
        self._home: asyncio.AbstractEventLoop | None = None
        self._away: asyncio.AbstractEventLoop | None = None
        self._work: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._live, name="lane-jobs", daemon=True)
        self._grace = 2.0
        self._stopping = threading.Event()
        self._log = structlog.get_logger("cluster")
        logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # we say what matters

    async def run(self) -> None:
        """Work until stopped: jobs in the thread, sweeps here."""
        self._home = asyncio.get_running_loop()
        self._thread.start()
        while not self._stopping.is_set():
            # A sweep of a long queue takes time; it may take a twentieth of it, and no more.
            spent = await self._sweep()
            await asyncio.sleep(max(SWEEP_SECONDS, 20 * spent))

    async def stop(self, seconds: float) -> None:
        """Take no more jobs, and wait for those that run."""
        self._grace = seconds
        self._stopping.set()
        away, work = self._away, self._work
        if away is not None and work is not None and not away.is_closed():
            away.call_soon_threadsafe(work.cancel)
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, seconds + 1.0)

    async def _sweep(self) -> float:
        """Sweep once; the seconds of the work itself, without the wait for the store.

        A store that is down, or has much to do, must not keep the next sweep away.
        """
        spent = 0.0

        def work(tx: Transaction) -> lane_jobs.Swept:
            nonlocal spent
            started, now = time.monotonic(), self._clock.now()
            swept = lane_jobs.sweep(tx, now, now - FRESH)
            spent = time.monotonic() - started
            return swept

        try:
            swept = await self._store.write(work)
        except AdapterError as error:
            self._log.warning("cluster.store-unavailable", code=error.code)
            return 0.0
        if swept.released:
            self._log.warning("cluster.claims-released", count=swept.released)
        return spent

    def _live(self) -> None:
        """The thread: an event loop of its own."""
        with asyncio.Runner() as runner:
            self._away = runner.get_loop()
            runner.run(self._keep_working())

    async def _keep_working(self) -> None:
        while not self._stopping.is_set():
            self._work = asyncio.current_task()
            try:
                await self._share()
            except asyncio.CancelledError:
                if self._stopping.is_set():
                    return
                self._log.warning("cluster.database-unavailable", error="CancelledError")
            except ExceptionGroup as group:
                names = sorted({type(each).__name__ for each in group.exceptions})
                self._log.warning("cluster.database-unavailable", error=", ".join(names))
            except Exception as error:  # noqa: BLE001 - whatever it is, lanes must go on
                self._log.warning("cluster.database-unavailable", error=type(error).__name__)
            if not self._stopping.is_set():
                await asyncio.sleep(1.0)

    async def _share(self) -> None:
        """Procrastinate's workers, each for some of the sites, so that no site starves another."""
        count = min(MOST_WORKERS, len(self._sites)) or 1
        address = _address(self._store)
        app = App(connector=_connector(address, count))
        app.task(name="deliver")(self._deliver)
        async with app.open_async(), living(address) as life, asyncio.TaskGroup() as group:
            app.job_manager = jobs = LivingJobs(app.connector)
            jobs.life = life
            group.create_task(life.look_after(GONE, FRESH))
            for number in range(count):
                queues = self._sites[number::count]
                if queues:
                    group.create_task(self._worker(app, queues))

    async def _worker(self, app: App, queues: list[str]) -> None:
        await app.run_worker_async(
            queues=queues,
            concurrency=self._per_site * len(queues),
            fetch_job_polling_interval=POLL_SECONDS,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=STALLED_SECONDS,
            shutdown_graceful_timeout=self._grace,
            delete_jobs="always",
            install_signal_handlers=False,
        )
        if not self._stopping.is_set():
            raise ConnectionError("a worker ended by itself")

    async def _deliver(self, referral: str, destination: str) -> None:
        """One job: what is due in one lane, carried in the service's own event loop."""
        assert self._home is not None
        carried = asyncio.run_coroutine_threadsafe(
            _done(self._carry, referral, destination), self._home
        )
        await asyncio.wrap_future(carried)


async def _done(carry: Carry, referral: str, destination: str) -> None:
    await carry(referral, destination)


def _address(store: Store) -> str:
    url = store.dialect.url.set(drivername="postgresql")
    return str(url.render_as_string(hide_password=False))


def _connector(address: str, workers: int) -> Any:
    return PsycopgConnector(
        conninfo=address,
        min_size=1,
        max_size=workers + 4,
        # The pool's own way is to look again after 1, 2, 4, 8, … seconds: a server that is back
        # would be noticed as late as it was away. So it gives up soon, and is asked again.
        reconnect_timeout=1.0,
        timeout=5.0,
        kwargs={"application_name": "adapter lanes", "connect_timeout": 5},
    )
