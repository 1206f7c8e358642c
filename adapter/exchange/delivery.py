"""Delivery: due lanes are claimed, and each is carried (`adapter.exchange.carrier`).

A lane is (referral, destination). A lane delivers in order; lanes are independent, so that one
poison message or one dead destination delays nobody else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from adapter.exchange.carrier import Carrier
from adapter.exchange.holding import room_at
from adapter.exchange.taking import Taken, take_again
from adapter.plugin.errors import AdapterError
from adapter.store.outbox_row import Lane, OutboxRow
from adapter.store.taken_jobs import LaneJob
from adapter.store.transaction import Transaction

if TYPE_CHECKING:
    from adapter.exchange.cluster import Cluster

BATCH = 64
PER_SITE = 8
STRAYS_SECONDS = 60.0


class Courier:
    """Lets a carrier carry what its store's outbox holds, to its sites."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self.store = carrier.store
        self.sites = carrier.sites
        self.clock = carrier.clock
        self.wake = asyncio.Event()
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._lanes: dict[Lane, asyncio.Task[bool]] = {}
        self._busy: Counter[str] = Counter()
        self._cluster: Cluster | None = None
        self._away = 0
        self._log = structlog.get_logger("delivery")
        self._stopping = False

    async def run(self) -> None:
        """Carry what is due until stopped; sleeps until something is due or somebody wakes it.

        Where several processes deliver, each takes its share of the lanes as jobs. Else this one
        claims what is due by itself.
        """
        if self.store.shared:
            await self._as_jobs()
            return
        await self.carrier.persist(_release)
        while not self._stopping:
            self.wake.clear()
            room = BATCH - len(self._running)
            rows = await self._claim(room) if room > 0 else []
            for row in rows:
                self._begin(row)
            if not rows:
                await self._rest()

    async def _as_jobs(self) -> None:
        from adapter.exchange.cluster import Cluster

        strays = asyncio.create_task(self._strays())
        self._cluster = Cluster(
            store=self.store,
            sites=list(self.sites),
            per_site=PER_SITE,
            carry=self.carry_taken,
            under_way=self._lanes.keys(),
            clock=self.clock,
        )
        try:
            await self._cluster.run()
        finally:
            strays.cancel()

    async def _strays(self) -> None:
        """What is due for sites that are configured no more: no job looks for it."""
        while not self._stopping:
            try:
                rows = await self.store.write(
                    lambda tx: tx.outbox.claim_due(
                        self.clock.now(), BATCH, exclude_destinations=list(self.sites)
                    )
                )
            except AdapterError as error:
                self._log.warning("delivery.store-unavailable", code=error.code)
                rows = []
            for row in rows:
                self._begin(row)
            await asyncio.sleep(STRAYS_SECONDS)

    async def carry_taken(self, taken: Taken) -> bool:
        """Carry what a job is for; whether the end of the job was written with what became of it.

        Where the database lost sight of us, it may be the lane of what we are at.
        """
        lane, row = taken.job.lane, taken.row
        if lane in self._lanes or row is None:
            if lane in self._lanes:
                await asyncio.wait([self._lanes[lane]])
            try:
                row = await self.store.write(lambda tx: take_again(tx, taken.job, self.clock.now()))
            except AdapterError as error:
                self._log.warning("delivery.store-unavailable", code=error.code)
                return False
            if row is None:
                return True
        return await asyncio.shield(self._begin(row, taken.job))

    def _begin(self, row: OutboxRow, job: LaneJob | None = None) -> asyncio.Task[bool]:
        self._busy[row.destination] += 1
        task = self._running[row.id] = self._lanes[row.lane] = asyncio.create_task(
            self._carry_and_leave(row, job)
        )
        return task

    async def stop(self, seconds: float) -> None:
        """Take nothing new and finish what is in flight; what is left stays queued."""
        self._stopping = True
        self.carrier.stop()
        self.wake.set()
        taken_back = self._cluster.stop(seconds) if self._cluster is not None else asyncio.sleep(0)
        await asyncio.gather(taken_back, self._finish(seconds))

    async def _finish(self, seconds: float) -> None:
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=seconds)
            for task in late:
                task.cancel()

    async def _carry_and_leave(self, row: OutboxRow, job: LaneJob | None) -> bool:
        """Whether all is written, the end of its job too."""
        try:
            return await self.carrier.carry(row, job)
        finally:
            self._running.pop(row.id, None)
            self._lanes.pop(row.lane, None)
            self._busy[row.destination] -= 1
            self.wake.set()

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self.wake.wait(), timeout=1.0)
        except TimeoutError:
            return

    async def _claim(self, limit: int) -> list[OutboxRow]:
        try:
            rows = await self.store.write(lambda tx: self._claim_due(tx, limit))
        except AdapterError as error:
            self._log.warning("delivery.store-unavailable", code=error.code)
            self._away += 1
            await self.carrier.comeback.wait(self._away)
            return []
        self._away = 0
        return rows

    def _claim_due(self, tx: Transaction, limit: int) -> list[OutboxRow]:
        """Rows to carry now: none for a site that is held, none for one that has its hands full."""
        now = self.clock.now()
        free = {name: PER_SITE - self._busy[name] for name in tx.outbox.destinations()}
        most = room_at(tx, free, now)
        full = [name for name, room in most.items() if room <= 0]
        return tx.outbox.claim_due(now, limit, exclude_destinations=full, most=most)


def _release(tx: Transaction) -> None:
    """What was being sent when the process ended becomes due again: this is the only one now."""
    tx.outbox.release_claims()
