"""Subscriptions are served: handshake, events in order, signs of life, and when to give up.

A subscription is a lane of its own: events go in the order of their numbers, and one that fails
holds up no other. What was not taken is tried again with growing pauses; after eight tries in vain,
or a 410, the subscription is in error until its owner asks for it anew. Events are kept meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import orjson
import structlog

from adapter.exchange.clock import Clock
from adapter.exchange.compartment import Compartment
from adapter.exchange.http.registered import registered_client
from adapter.exchange.ledger import Ledger
from adapter.exchange.subscription_notices import notification
from adapter.exchange.subscription_terms import Terms, TermsRefused, terms
from adapter.plugin.errors import AdapterError, GoneError
from adapter.plugin.http import Http
from adapter.security.incoming.scopes import Scopes
from adapter.store.resources import ResourceRow
from adapter.store.store import Store
from adapter.store.subscriptions import EventRow, SubscriptionRow
from adapter.store.transaction import Transaction

BATCH = 16
LEASE = timedelta(seconds=90)
PAUSES = (2, 10, 30, 120, 600, 1800, 3600)
"""Seconds before each further try; after the last of them comes one more, then error."""
Json = dict[str, Any]


class Mailer(Protocol):
    """Sends an e-mail that says that there is news, and nothing about anybody."""

    async def send(self, recipient: str, subject: str, text: str, attachment: bytes) -> None:
        """Send; AdapterError if it cannot be handed over."""
        ...


@dataclass(frozen=True, slots=True)
class Errand:
    """One thing to send."""

    row: SubscriptionRow
    terms: Terms
    kind: str
    last: int
    body: bytes


class Notifier:
    """Serves the subscriptions of a store; any number of processes may."""

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        clock: Clock,
        test: bool,
        base: Callable[[], str],
        mailer: Mailer | None = None,
        http: Http | None = None,
    ) -> None:
        self.wake = asyncio.Event()
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._test = test
        self._base = base
        self._mailer = mailer
        self._http = http
        self._stopping = False
        self._log = structlog.get_logger("subscriptions")

    @property
    def mails(self) -> bool:
        """Whether this server can send e-mail."""
        return self._mailer is not None

    async def run(self) -> None:
        """Serve until stopped."""
        while not self._stopping:
            self.wake.clear()
            try:
                served = await self.serve_due()
            except AdapterError as error:
                self._log.warning("subscriptions.store-unavailable", code=error.code)
                served = 0
            if not served and not self._stopping:
                try:
                    await asyncio.wait_for(self.wake.wait(), timeout=0.5)
                except TimeoutError:
                    continue

    def stop(self) -> None:
        """Take nothing new."""
        self._stopping = True
        self.wake.set()

    async def serve_due(self) -> int:
        """Send what is due now, each to its own; how many there were."""
        until = self._clock.now() + LEASE
        if not await self._store.read(lambda tx: tx.subscriptions.any_due()):
            return 0
        rows = await self._store.write(
            lambda tx: tx.subscriptions.claim_due(until=until, limit=BATCH)
        )
        await asyncio.gather(*(self._serve(row) for row in rows))
        return len(rows)

    async def _serve(self, row: SubscriptionRow) -> None:
        try:
            errand = await self._store.write(lambda tx: self._prepared(tx, row))
            if errand is None:
                return
            await self._send(errand)
        except AdapterError as error:
            fault = error
            await self._store.write(lambda tx: self._failed(tx, row, fault))
            self._log.warning("subscription.failed", id=row.id, code=error.code)
        else:
            await self._store.write(lambda tx: self._taken(tx, errand))

    def _prepared(self, tx: Transaction, claimed: SubscriptionRow) -> Errand | None:
        """What to send, or None and it waits or ends."""
        row = tx.subscriptions.get(claimed.id)
        stored = tx.resources.get("Subscription", claimed.id)
        if row is None or stored is None or row.state not in ("requested", "active"):
            return None
        try:
            understood = terms(stored.content, self._base())
        except TermsRefused as error:
            self._end(tx, row, "error", str(error))
            return None
        if not self._may(tx, row, understood):
            self._end(tx, row, "off", "the client may not come in any more")
            return None
        kind, low, high = "heartbeat", row.delivered + 1, row.delivered
        if row.state == "requested":
            kind = "handshake"
        elif row.events > row.delivered:
            kind, high = "event-notification", min(row.events, row.delivered + understood.most)
        events = tx.subscriptions.events(row.id, low, high)
        view = Compartment(tx, self._ledger, row.party)

        def shown(event: EventRow) -> ResourceRow | None:
            return view.shown(tx.resources.get(event.type, event.id))

        bundle = notification(
            row,
            understood,
            kind,
            self._base(),
            events=events,
            shown=shown,
            state="requested" if kind == "handshake" else "active",
        )
        return Errand(row, understood, kind, high, orjson.dumps(bundle))

    def _may(self, tx: Transaction, row: SubscriptionRow, understood: Terms) -> bool:
        if row.client is None:
            return True
        client = tx.clients.get(row.client)
        if client is None or client.disabled_at is not None:
            return False
        return Scopes.read(client.scopes).allow(understood.kind, "r")

    async def _send(self, errand: Errand) -> None:
        if errand.terms.channel == "email":
            await self._mail(errand)
            return
        headers: Mapping[str, str] = {
            **errand.terms.headers,
            "Content-Type": "application/fhir+json",
        }
        await self._client().post(
            errand.terms.endpoint,
            content=errand.body,
            headers=headers,
            route="/subscription",
        )

    async def _mail(self, errand: Errand) -> None:
        if self._mailer is None:
            raise GoneError(
                "subscription.no-mail",
                "this server sends no e-mail",
                fix="Set [smtp] in adapter.toml, or use a rest-hook.",
            )
        subject = {
            "handshake": "Subscription: this address will be told of news",
            "heartbeat": "Subscription: there is no news",
        }.get(errand.kind, "Subscription: there is news about referrals")
        text = (
            f"{subject}.\n\nSee {self._base()}/Subscription/{errand.row.id}/$events with your own "
            "sign-in. This message says nothing about anybody.\n"
        )
        recipient = errand.terms.endpoint.removeprefix("mailto:")
        await self._mailer.send(recipient, subject, text, errand.body)

    def _client(self) -> Http:
        if self._http is None:
            self._http = registered_client(test=self._test, log=self._log, now=self._clock.now)
        return self._http

    def _taken(self, tx: Transaction, errand: Errand) -> None:
        row = tx.subscriptions.get(errand.row.id)
        if row is None or row.state not in ("requested", "active"):
            return
        now = self._clock.now()
        delivered = max(row.delivered, errand.last)
        beat = errand.terms.heartbeat
        due: datetime | None = now + timedelta(seconds=beat) if beat else None
        if row.events > delivered:
            due = now
            self.wake.set()
        tx.subscriptions.mark(row, state="active", delivered=delivered, failures=0, due=due)
        if row.state == "requested":
            self._write(tx, row, "active", None)

    def _failed(self, tx: Transaction, claimed: SubscriptionRow, error: AdapterError) -> None:
        row = tx.subscriptions.get(claimed.id)
        if row is None or row.state not in ("requested", "active"):
            return
        tries = row.failures + 1
        if tries > len(PAUSES) or isinstance(error, GoneError):
            self._end(tx, row, "error", f"{error.code}: {error.message}")
            return
        pause = PAUSES[tries - 1] * random.uniform(0.8, 1.2)  # noqa: S311 - it only spreads load
        due = self._clock.now() + timedelta(seconds=pause)
        tx.subscriptions.mark(
            row, state=row.state, delivered=row.delivered, failures=tries, due=due, error=error.code
        )

    def _end(self, tx: Transaction, row: SubscriptionRow, state: str, error: str) -> None:
        tx.subscriptions.mark(
            row, state=state, delivered=row.delivered, failures=row.failures, due=None, error=error
        )
        self._write(tx, row, state, error)

    def _write(self, tx: Transaction, row: SubscriptionRow, state: str, error: str | None) -> None:
        """The Subscription says itself how it stands."""
        stored = tx.resources.get("Subscription", row.id)
        if stored is None:
            return
        content = {**stored.content, "status": state}
        content.pop("error", None)
        if error:
            content["error"] = error
        tx.resources.put("Subscription", row.id, organization=row.organization, content=content)
