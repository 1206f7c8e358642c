"""Delivery: due lanes are claimed, carried by their site's system, and marked.

A lane is (referral, destination). A lane delivers in order; lanes are independent, so that one
poison message or one dead destination delays nobody else. No network call happens inside a
transaction.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from adapter.exchange.clock import Clock
from adapter.exchange.comeback import Comeback
from adapter.exchange.dispatch import notice_from, outbound_document
from adapter.exchange.fleet import Fleet
from adapter.exchange.holding import keep_state, room_at
from adapter.exchange.mapper import Mapper
from adapter.exchange.retry import Verdict, judge
from adapter.exchange.sites import SiteFacts
from adapter.exchange.taking import Taken, take_again
from adapter.exchange.watch import watched
from adapter.plugin.errors import AdapterError, DataError, PluginError
from adapter.plugin.messages import Delivered, Outbound
from adapter.plugin.system import Delivers, Finds
from adapter.referral.consent import may_send
from adapter.referral.document import from_document
from adapter.referral.model import Referral
from adapter.store.errors import StoreFault
from adapter.store.failpoints import point
from adapter.store.outbox import Lane, OutboxRow
from adapter.store.store import Store
from adapter.store.taken_jobs import LaneJob, end
from adapter.store.transaction import Transaction

if TYPE_CHECKING:
    from adapter.exchange.cluster import Cluster

BATCH = 64
PER_SITE = 8
TIMEOUT = 120.0
STRAYS_SECONDS = 60.0
_BEFORE_SEND = point("delivery.before-send")
_SENT = point("delivery.sent")


class Courier:
    """Carries what the outbox holds."""

    def __init__(
        self,
        *,
        store: Store,
        mapper: Mapper,
        fleet: Fleet,
        sites: Mapping[str, SiteFacts],
        clock: Clock,
    ) -> None:
        self.store = store
        self.mapper = mapper
        self.fleet = fleet
        self.sites = sites
        self.clock = clock
        self.wake = asyncio.Event()
        self._running: dict[str, asyncio.Task[bool]] = {}
        self._lanes: dict[Lane, asyncio.Task[bool]] = {}
        self._jobs: dict[str, LaneJob] = {}
        self._busy: Counter[str] = Counter()
        self._cluster: Cluster | None = None
        self._comeback = Comeback(store)
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
        await self._persist(_release)
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
        if job is not None:
            self._jobs[row.id] = job
        task = self._running[row.id] = self._lanes[row.lane] = asyncio.create_task(
            self._carry_and_leave(row)
        )
        return task

    async def stop(self, seconds: float) -> None:
        """Take nothing new and finish what is in flight; what is left stays queued."""
        self._stopping = True
        self._comeback.give_up()
        self.wake.set()
        taken_back = self._cluster.stop(seconds) if self._cluster is not None else asyncio.sleep(0)
        await asyncio.gather(taken_back, self._finish(seconds))

    async def _finish(self, seconds: float) -> None:
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=seconds)
            for task in late:
                task.cancel()

    async def _carry_and_leave(self, row: OutboxRow) -> bool:
        """Whether its job, if it has one, is ended."""
        try:
            await self._carry(row)
        except AdapterError as error:
            self._log.error("delivery.store-unavailable", id=row.id, code=error.code)
        finally:
            self._running.pop(row.id, None)
            self._lanes.pop(row.lane, None)
            self._busy[row.destination] -= 1
            unended = self._jobs.pop(row.id, None)
            self.wake.set()
        return unended is None

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
            await self._comeback.wait(self._away)
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

    async def _carry(self, row: OutboxRow) -> None:
        try:
            stopped = self._strays_from(row) or await self._consent_lacks(row)
            if stopped:
                await self._record(row, lambda tx: self._withhold(tx, row, stopped))
                return
            delivered = await self._deliver(row)
            _SENT()
        except StoreFault as error:
            # Our own store's trouble, not the peer's: no schedule, and no word about the site.
            await self._record(row, _again(row, error, self.clock))
        except AdapterError as error:
            await self._failed(row, error)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it is named
            self._log.error("delivery.plugin-raised", site=row.destination, exc_info=error)
            await self._failed(row, _plugin_fault(row, error))
        else:
            await self._record(row, lambda tx: self._delivered(tx, row, delivered))
            self._log.info(
                "delivery.delivered", site=row.destination, event_name=row.event, id=row.id
            )

    async def _record(self, row: OutboxRow, work: Callable[[Transaction], object]) -> None:
        """Write what became of a delivery, and that its job is done.

        Raises:
            StoreFault: the store could not, and the service is stopping.
        """
        job = self._jobs.get(row.id)
        if job is None:
            await self._persist(work)
            return

        def both(tx: Transaction) -> None:
            work(tx)
            end(tx, job)

        await self._persist(both)
        del self._jobs[row.id]

    async def _persist(self, work: Callable[[Transaction], object]) -> None:
        """Write something. While the store cannot, go on trying: nobody else knows.

        Raises:
            StoreFault: the store could not, and the service is stopping.
        """
        for tried in itertools.count():
            try:
                await self.store.write(work)
            except StoreFault as error:
                self._log.warning("delivery.store-unavailable", code=error.code)
                if self._stopping:
                    raise
                await self._comeback.wait(tried)
            else:
                return

    async def _deliver(self, row: OutboxRow) -> Delivered:
        system = self.fleet.system(row.destination)
        if not isinstance(system, Delivers):
            raise PluginError(
                "plugin.cannot-deliver",
                f"the system of {row.destination} declares deliveries, but has no deliver()",
            )
        message = self._message(row)
        _BEFORE_SEND()
        if row.attempts > 1 and isinstance(system, Finds):
            found = await watched(system.find(message), seconds=TIMEOUT)
            if found is not None:
                return _checked(row, found, "find()")
        return _checked(row, await watched(system.deliver(message), seconds=TIMEOUT), "deliver()")

    def _message(self, row: OutboxRow) -> Outbound:
        site = self.sites[row.destination]
        body = b""
        if site.capabilities.outbound_format:
            body = self.mapper.write(
                outbound_document(row.document, row.id, row.kind),
                format=site.capabilities.outbound_format,
                kind=row.kind,
                dialect=site.dialect,
                site=site.name,
                timezone=site.timezone.key,
            )
        return Outbound(
            id=row.id,
            event=row.event,
            kind=row.kind,
            referral=row.referral,
            fulfilment=row.fulfilment,
            created=row.created_at,
            attempt=row.attempts,
            body=body,
            test=row.test,
            notice=notice_from(row.notice),
        )

    def _strays_from(self, row: OutboxRow) -> str | None:
        """A test never leaves test sites."""
        site = self.sites.get(row.destination)
        if site is None:
            return "the site is no longer configured"
        if row.test != site.test:
            return "a test referral reaches test sites only"
        return None

    async def _consent_lacks(self, row: OutboxRow) -> str | None:
        """Consent is asked again at send time, where a request goes out."""
        if row.event not in ("request", "modify"):
            return None
        site = self.sites[row.destination]
        case = await self.store.read(lambda tx: tx.cases.get(row.referral))
        if case is None:
            return None
        return may_send(from_document(Referral, case.document["referral"]), site.consent)

    def _withhold(self, tx: Transaction, row: OutboxRow, why: str) -> None:
        tx.outbox.fail(row.id, "quarantined", code="delivery.withheld", error=why, fix="")
        tx.outbox.discard(row.id, why)
        _journal(tx, row, "delivery.withheld", {"why": why})

    def _delivered(self, tx: Transaction, row: OutboxRow, delivered: Delivered) -> None:
        stood = tx.outbox.delivered(row.id, dict(delivered.external_ids), self.clock.now())
        _journal(tx, row, "delivery.delivered", {"attempts": row.attempts})
        if stood != "ready":
            self._site(tx, row, "ready", None)

    async def _failed(self, row: OutboxRow, error: AdapterError) -> None:
        verdict = judge(
            error,
            attempt=row.attempts,
            now=self.clock.now(),
            chance=random.random(),  # noqa: S311 - spreads load, keeps no secret
        )
        self._log.warning(
            "delivery.failed",
            site=row.destination,
            id=row.id,
            code=error.code,
            action=verdict.action,
            attempt=row.attempts,
        )
        await self._record(row, lambda tx: self._mark(tx, row, error, verdict))

    def _mark(self, tx: Transaction, row: OutboxRow, error: AdapterError, verdict: Verdict) -> None:
        if verdict.action == "retry" and verdict.next_at is not None:
            tx.outbox.retry(
                row.id, verdict.next_at, code=error.code, error=error.message, fix=error.fix
            )
        else:
            tx.outbox.fail(
                row.id,
                "dead" if verdict.action == "dead" else "quarantined",
                code=error.code,
                error=error.message,
                fix=error.fix,
            )
        if row.attempts == 1 or verdict.action != "retry":
            _journal(tx, row, f"delivery.{verdict.action}", {"code": error.code})
        if verdict.site_state:
            self._site(tx, row, verdict.site_state, error)

    def _site(
        self, tx: Transaction, row: OutboxRow, state: str, error: AdapterError | None
    ) -> None:
        """Keep how the site stands; the log says it once where somebody must act."""
        turn = keep_state(tx, row, state, error, self.clock.now())
        if turn == "held":
            code = error.code if error else None
            self._log.error("site.held", site=row.destination, state=state, code=code)
        elif turn == "released":
            self._log.warning("site.released", site=row.destination)


def _journal(tx: Transaction, row: OutboxRow, kind: str, data: dict[str, Any]) -> None:
    tx.journal.append(
        organization=row.organization,
        referral=row.referral,
        fulfilment=row.fulfilment,
        actor="adapter",
        site=row.destination,
        kind=kind,
        data={"to": row.destination, "event": row.event, "delivery": row.id, **data},
    )


def _checked(row: OutboxRow, given: object, where: str) -> Delivered:
    """What a plugin gave back; it may be anything.

    Raises:
        PluginError: it is no `Delivered` with ids of text by name of text.
    """
    if isinstance(given, Delivered) and isinstance(given.external_ids, Mapping):
        ids = dict(given.external_ids)
        if all(isinstance(each, str) for pair in ids.items() for each in pair):
            return given
    raise PluginError(
        "plugin.wrong-type",
        f"{where} of the plugin of {row.destination} gave a {type(given).__name__} back, "
        "no Delivered",
        fix="Update the plugin, or ask its maker: `adapter conform` shows it.",
    )


def _plugin_fault(row: OutboxRow, error: Exception) -> AdapterError:
    if isinstance(error, ValueError | KeyError | TypeError) and not row.kind:
        return DataError("plugin.data", f"{type(error).__name__} while delivering")
    return PluginError(
        "plugin.raised",
        f"the plugin of {row.destination} raised {type(error).__name__}",
        fix="Look at the log, and update the plugin.",
    )


def _again(row: OutboxRow, error: AdapterError, clock: Clock) -> Callable[[Transaction], None]:
    """Due in a second: what stopped it is over when this can be written."""
    code, said, fix = error.code, error.message, error.fix
    pause = timedelta(seconds=1)
    return lambda tx: tx.outbox.retry(row.id, clock.now() + pause, code=code, error=said, fix=fix)


def _release(tx: Transaction) -> None:
    """What was being sent when the process ended becomes due again: this is the only one now."""
    tx.outbox.release_claims()
