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
import random
import threading
import time
from collections.abc import Collection, Sequence

import structlog
from procrastinate import PsycopgConnector

from adapter.exchange import taking
from adapter.exchange.clock import Clock
from adapter.exchange.lane_hands import Carry, LaneHands
from adapter.exchange.lane_workers import FRESH, LaneWorkers
from adapter.exchange.taking import Taken
from adapter.plugin.errors import AdapterError
from adapter.store import lane_jobs
from adapter.store.outbox_row import Lane
from adapter.store.store import Store
from adapter.store.transaction import Transaction

SWEEP_SECONDS = 1.0
AGAIN_SECONDS = 0.2
SAY_SECONDS = 10.0
MOST_WORKERS = 12
"""Each holds one connection for news of jobs; more sites than this share workers."""


class Cluster:
    """This process's share of the lanes."""

    def __init__(
        self,
        *,
        store: Store,
        sites: Sequence[str],
        per_site: int,
        carry: Carry,
        under_way: Collection[Lane],
        clock: Clock,
    ) -> None:
        self._store = store
        self._carry = carry
        self._under_way = under_way
        self._clock = clock
        self._home: asyncio.AbstractEventLoop | None = None
        self._away: asyncio.AbstractEventLoop | None = None
        self._work: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._live, name="lane-jobs", daemon=True)
        self._said = -SAY_SECONDS
        self._sites = sites
        self._per_site = per_site
        self._workers: LaneWorkers | None = None
        self._stopping = threading.Event()
        self._log = structlog.get_logger("cluster")
        for library in ("procrastinate", "psycopg.pool"):
            logging.getLogger(library).setLevel(logging.CRITICAL)  # we say what matters

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
        if self._workers is not None:
            self._workers.grace = seconds
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
        self._work = asyncio.current_task()
        self._workers = workers = LaneWorkers(
            _address(self._store),
            _groups(self._sites),
            self._hands,
            per_site=self._per_site,
        )
        pause = 0.0
        while not self._stopping.is_set():
            try:
                await asyncio.sleep(pause)
                pause = AGAIN_SECONDS * random.uniform(0.5, 1.5)  # noqa: S311 - keeps no secret
                await workers.run()
            except asyncio.CancelledError:
                if self._stopping.is_set():
                    return
                self._say_away("CancelledError")
            except Exception as error:  # noqa: BLE001 - whatever it is, lanes must go on
                self._say_away(type(error).__name__)

    def _say_away(self, error: str) -> None:
        """Once for a database that is away for long."""
        now = time.monotonic()
        if now - self._said > SAY_SECONDS:
            self._said = now
            self._log.warning("cluster.database-unavailable", error=error)

    def _hands(self, connector: PsycopgConnector) -> LaneHands:
        return LaneHands(
            connector,
            per_site=self._per_site,
            take=self._take,
            give_back=self._give_back,
            carry=self._carry_at_home,
        )

    async def _take(self, worker: int, sites: Sequence[str], most: int) -> tuple[list[Taken], bool]:
        def work(tx: Transaction) -> tuple[list[Taken], bool]:
            now, under_way = self._clock.now(), self._under_way
            return taking.take(tx, worker, sites, most, now=now, under_way=under_way)

        return await self._store.write(work)

    async def _give_back(self, taken: Sequence[Taken]) -> None:
        await self._store.write(lambda tx: taking.give_back(tx, taken))

    async def _carry_at_home(self, taken: Taken) -> bool:
        """One job, carried in the service's own event loop."""
        assert self._home is not None
        carried = asyncio.run_coroutine_threadsafe(_done(self._carry, taken), self._home)
        return await asyncio.wrap_future(carried)


async def _done(carry: Carry, taken: Taken) -> bool:
    return await carry(taken)


def _groups(sites: Sequence[str]) -> list[Sequence[str]]:
    """The sites of each worker, so that no site starves another."""
    count = min(MOST_WORKERS, len(sites))
    return [sites[number::count] for number in range(count)]


def _address(store: Store) -> str:
    url = store.dialect.url.set(drivername="postgresql")
    return str(url.render_as_string(hide_password=False))
