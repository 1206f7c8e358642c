"""Delivery: due lanes are claimed, carried by their site's system, and marked.

A lane is (referral, destination). A lane delivers in order; lanes are independent, so that one
poison message or one dead destination delays nobody else. No network call happens inside a
transaction.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Any

import structlog

from adapter.exchange.clock import Clock
from adapter.exchange.dispatch import notice_from, outbound_document
from adapter.exchange.fleet import Fleet
from adapter.exchange.mapper import Mapper
from adapter.exchange.retry import Verdict, judge
from adapter.exchange.sites import SiteFacts
from adapter.exchange.watch import watched
from adapter.plugin.errors import AdapterError, DataError, PluginError
from adapter.plugin.messages import Delivered, Outbound
from adapter.plugin.system import Delivers, Finds
from adapter.referral.consent import may_send
from adapter.referral.document import from_document
from adapter.referral.model import Referral
from adapter.store.failpoints import point
from adapter.store.outbox import OutboxRow
from adapter.store.store import Store
from adapter.store.transaction import Transaction

BATCH = 64
PER_SITE = 8
TIMEOUT = 120.0
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
        self._running: dict[str, asyncio.Task[None]] = {}
        self._slots = {name: asyncio.Semaphore(PER_SITE) for name in sites}
        self._log = structlog.get_logger("delivery")
        self._stopping = False

    async def run(self) -> None:
        """Claim and carry until stopped; sleeps until something is due or somebody wakes it."""
        await self.store.write(_release)
        while not self._stopping:
            self.wake.clear()
            room = BATCH - len(self._running)
            rows = await self._claim(room) if room > 0 else []
            for row in rows:
                self._running[row.id] = asyncio.create_task(self._carry_and_leave(row))
            if not rows:
                await self._rest()

    async def stop(self, seconds: float) -> None:
        """Take nothing new and finish what is in flight; what is left stays queued."""
        self._stopping = True
        self.wake.set()
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=seconds)
            for task in late:
                task.cancel()

    async def _carry_and_leave(self, row: OutboxRow) -> None:
        try:
            await self._carry(row)
        except AdapterError as error:
            self._log.error("delivery.store-unavailable", id=row.id, code=error.code)
        finally:
            self._running.pop(row.id, None)
            self.wake.set()

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self.wake.wait(), timeout=1.0)
        except TimeoutError:
            return

    async def _claim(self, limit: int) -> list[OutboxRow]:
        try:
            return await self.store.write(
                lambda tx: tx.outbox.claim_due(self.clock.now(), limit=limit)
            )
        except AdapterError as error:
            self._log.warning("delivery.store-unavailable", code=error.code)
            await asyncio.sleep(1.0)
            return []

    async def _carry(self, row: OutboxRow) -> None:
        async with self._slots.get(row.destination) or asyncio.Semaphore(1):
            try:
                stopped = await self.store.read(lambda tx: self._stopped(tx, row))
                if stopped:
                    await self.store.write(lambda tx: self._withhold(tx, row, stopped))
                    return
                delivered = await self._deliver(row)
                _SENT()
            except AdapterError as error:
                await self._failed(row, error)
            except asyncio.CancelledError:
                raise
            except Exception as error:  # noqa: BLE001 - a plugin may raise anything; it is named
                await self._failed(row, _plugin_fault(row, error))
            else:
                await self.store.write(lambda tx: self._delivered(tx, row, delivered))
                self._log.info(
                    "delivery.delivered", site=row.destination, event_name=row.event, id=row.id
                )

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
                return found
        return await watched(system.deliver(message), seconds=TIMEOUT)

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

    def _stopped(self, tx: Transaction, row: OutboxRow) -> str | None:
        """Consent is asked again at send time; a test never leaves test sites."""
        site = self.sites.get(row.destination)
        if site is None:
            return "the site is no longer configured"
        if row.test != site.test:
            return "a test referral reaches test sites only"
        case = tx.cases.get(row.referral)
        if case is None or row.event not in ("request", "modify"):
            return None
        return may_send(from_document(Referral, case.document["referral"]), site.consent)

    def _withhold(self, tx: Transaction, row: OutboxRow, why: str) -> None:
        tx.outbox.fail(row.id, "quarantined", code="delivery.withheld", error=why, fix="")
        tx.outbox.discard(row.id, why)
        _journal(tx, row, "delivery.withheld", {"why": why})

    def _delivered(self, tx: Transaction, row: OutboxRow, delivered: Delivered) -> None:
        tx.outbox.delivered(row.id, dict(delivered.external_ids), self.clock.now())
        _journal(tx, row, "delivery.delivered", {"attempts": row.attempts})
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
        await self.store.write(lambda tx: self._mark(tx, row, error, verdict))

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
        tx.sites.set(
            row.destination,
            state,
            organization=row.organization,
            code=error.code if error else None,
            error=error.message if error else None,
            fix=error.fix if error else None,
        )


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


def _plugin_fault(row: OutboxRow, error: Exception) -> AdapterError:
    if isinstance(error, ValueError | KeyError | TypeError) and not row.kind:
        return DataError("plugin.data", f"{type(error).__name__} while delivering")
    return PluginError(
        "plugin.raised",
        f"the plugin of {row.destination} raised {type(error).__name__}",
        fix="Look at the log, and update the plugin.",
    )


def _release(tx: Transaction) -> None:
    """What this process was sending when it ended becomes due again."""
    tx.outbox.release_claims()
