"""One delivery: hand it to its site's system, and write what became of it with the end of its job.

No network call happens inside a transaction. Test isolation and consent are asked once more here.
"""

from __future__ import annotations

import itertools
import random
from asyncio import CancelledError
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import structlog

from adapter.exchange.clock import Clock
from adapter.exchange.comeback import Comeback
from adapter.exchange.fleet import Fleet
from adapter.exchange.handing_over import hand_over, plugin_fault
from adapter.exchange.holding import keep_state
from adapter.exchange.mapper import Mapper
from adapter.exchange.retry import Verdict, judge
from adapter.exchange.sites import SiteFacts
from adapter.plugin.errors import AdapterError
from adapter.plugin.messages import Delivered
from adapter.referral.consent import may_send
from adapter.referral.document import from_document
from adapter.referral.model import Referral
from adapter.store.errors import MissingError, StoreFault
from adapter.store.failpoints import point
from adapter.store.outbox_row import OutboxRow
from adapter.store.store import Store
from adapter.store.taken_jobs import LaneJob, end
from adapter.store.transaction import Transaction

_SENT = point("delivery.sent")


class Carrier:
    """Carries single deliveries that were claimed."""

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
        self.comeback = Comeback(store)
        self._stopping = False
        self._log = structlog.get_logger("delivery")

    def stop(self) -> None:
        """Wait no longer for a store that is away."""
        self._stopping = True
        self.comeback.give_up()

    async def carry(self, row: OutboxRow, job: LaneJob | None = None) -> bool:
        """Carry one delivery; False if what became of it, and of its job, could not be written."""
        try:
            await self._carry(row, job)
        except MissingError:
            # Its person was erased meanwhile, and what was under way with it: there is no row that
            # could say what became of it.
            self._log.warning("delivery.closed-meanwhile", id=row.id)
            return False
        except AdapterError as error:
            self._log.error("delivery.store-unavailable", id=row.id, code=error.code)
            return False
        return True

    async def _carry(self, row: OutboxRow, job: LaneJob | None) -> None:
        try:
            stopped = self._strays_from(row) or await self._consent_lacks(row)
            if stopped:
                await self._record(job, lambda tx: self._withhold(tx, row, stopped))
                return
            delivered = await hand_over(
                row, site=self.sites[row.destination], fleet=self.fleet, mapper=self.mapper
            )
            _SENT()
        except StoreFault as error:
            # Our own store's trouble, not the peer's: no schedule, and no word about the site.
            await self._record(job, _again(row, error, self.clock))
        except AdapterError as error:
            await self._failed(row, job, error)
        except CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it is named
            self._log.error("delivery.plugin-raised", site=row.destination, exc_info=error)
            await self._failed(row, job, plugin_fault(row, error))
        else:
            await self._record(job, lambda tx: self._delivered(tx, row, delivered))
            self._log.info(
                "delivery.delivered", site=row.destination, event_name=row.event, id=row.id
            )

    async def _record(self, job: LaneJob | None, work: Callable[[Transaction], object]) -> None:
        """Write what became of a delivery, and that its job is done.

        Raises:
            StoreFault: the store could not, and the service is stopping.
        """
        if job is None:
            await self.persist(work)
            return

        def both(tx: Transaction) -> None:
            end(tx, job)  # first: the order of `adapter.store.lane_locks`
            work(tx)

        await self.persist(both)

    async def persist(self, work: Callable[[Transaction], object]) -> None:
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
                await self.comeback.wait(tried)
            else:
                return

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

    async def _failed(self, row: OutboxRow, job: LaneJob | None, error: AdapterError) -> None:
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
        await self._record(job, lambda tx: self._mark(tx, row, error, verdict))

    def _mark(self, tx: Transaction, row: OutboxRow, error: AdapterError, verdict: Verdict) -> None:
        if verdict.action == "retry" and verdict.next_at is not None:
            tx.outbox.retry(
                row.id,
                verdict.next_at,
                code=error.code,
                error=error.message,
                fix=error.fix,
                tries=row.attempts if verdict.counted else max(1, row.attempts - 1),
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


def _again(row: OutboxRow, error: AdapterError, clock: Clock) -> Callable[[Transaction], None]:
    """Due in a second: what stopped it is over when this can be written."""
    code, said, fix = error.code, error.message, error.fix
    pause = timedelta(seconds=1)
    return lambda tx: tx.outbox.retry(row.id, clock.now() + pause, code=code, error=said, fix=fix)
