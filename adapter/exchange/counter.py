"""The desk of this service: views and acts of people, each in one transaction.

A view is audited in the transaction that reads it: if the audit cannot be written, nothing is
shown.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from adapter.exchange.audit_event import audit_event
from adapter.exchange.clock import Clock, moment
from adapter.exchange.desk import Acted, AgencyView
from adapter.exchange.kept import Cause, Kept
from adapter.exchange.ledger import Ledger
from adapter.exchange.news import Told, reference
from adapter.exchange.sites import SiteFacts
from adapter.plugin.errors import TransientError
from adapter.referral.disclosure import disclose, policy
from adapter.referral.lifecycle import lifecycle
from adapter.referral.model import Fulfilment
from adapter.referral.room import Entry, Move, Refused, move
from adapter.store.errors import StoreError
from adapter.store.store import Store
from adapter.store.transaction import Transaction

T = TypeVar("T")


class Counter:
    """`Desk`, over the ledger and the store."""

    def __init__(
        self, *, store: Store, ledger: Ledger, clock: Clock, moved: Callable[[], None]
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._clock = clock
        self._moved = moved

    def now(self) -> datetime:
        """The time, with UTC offset."""
        return self._clock.now()

    async def view(self, fulfilment: str, *, site: str, actor: str) -> AgencyView | None:
        """The fulfilment for its agency, audited; None if it is not this site's."""
        return await self._durably(lambda tx: self._view(tx, fulfilment, site, actor))

    async def form(self, fulfilment: str, *, site: str) -> AgencyView | None:
        """As `view`, to read a form by and not to show: nothing is audited."""
        try:
            return await self._store.read(lambda tx: self._unseen(tx, fulfilment, site))
        except StoreError as error:
            raise TransientError(error.code, error.message, fix=error.fix) from error

    async def act(self, move: Move, *, site: str, actor: str, key: str) -> Acted:
        """Make a move in one transaction; the same key again does nothing twice."""
        acted = await self._durably(lambda tx: self._act(tx, move, site, actor, key))
        if acted.state == "done":
            self._moved()
        return acted

    async def _durably(self, work: Callable[[Transaction], T]) -> T:
        try:
            return await self._store.write(work)
        except StoreError as error:
            raise TransientError(error.code, error.message, fix=error.fix) from error

    def _kept(self, tx: Transaction, fulfilment: str, site: str) -> Kept | None:
        return self._ledger.load_of(tx, fulfilment, site)

    def _view(self, tx: Transaction, fulfilment: str, site: str, actor: str) -> AgencyView | None:
        kept = self._kept(tx, fulfilment, site)
        found = kept.case.fulfilment(fulfilment) if kept else None
        if kept is None or found is None:
            return None
        facts = self._ledger.sites[site]
        cause = Cause(actor=actor, site=site, at=self.now())
        self._ledger.note(
            tx, kept.id, [Entry(kind="fulfilment.viewed", fulfilment=fulfilment)], cause
        )
        tx.audit.append(
            _event("R", kept, fulfilment, cause),
            organization=self._ledger.organization,
            referral=kept.id,
        )
        return self._shown(kept, found, facts)

    def _unseen(self, tx: Transaction, fulfilment: str, site: str) -> AgencyView | None:
        kept = self._kept(tx, fulfilment, site)
        found = kept.case.fulfilment(fulfilment) if kept else None
        if kept is None or found is None:
            return None
        return self._shown(kept, found, self._ledger.sites[site])

    def _shown(self, kept: Kept, found: Fulfilment, facts: SiteFacts) -> AgencyView:
        disclosed = disclose(kept.case.referral, policy(facts.disclosure))
        program = self._ledger.programs.get(found.program or "")
        table = lifecycle(facts.lifecycle)
        return AgencyView(
            reference=reference(found.id or ""),
            referral=disclosed.referral,
            fulfilment=found,
            withheld=disclosed.withheld,
            choices=table.choices(found.status or "requested", "performer"),
            program=(program.name.get(facts.language) or program.title) if program else None,
            received=kept.received_at,
            reply_by=datetime.fromisoformat(found.reply_by) if found.reply_by else None,
            test=kept.test,
            timezone=facts.timezone,
        )

    def _act(self, tx: Transaction, wanted: Move, site: str, actor: str, key: str) -> Acted:
        kept = self._kept(tx, wanted.fulfilment, site)
        if kept is None:
            refused = Refused(code="fulfilment.unknown", message="there is no such referral here")
            return Acted(state="refused", refused=refused)
        now = self.now()
        decision = move(
            kept.case,
            wanted,
            lifecycle(self._ledger.sites[site].lifecycle),
            now.isoformat(timespec="milliseconds"),
        )
        if self._was_made(tx, site, f"act|{key}", now=decision.refused is None):
            return Acted(state="already")
        cause = Cause(actor=actor, site=site, at=now, occurred=moment(wanted.occurred, UTC))
        told = [
            Told(event=each.event, to=each.to, fulfilment=each.fulfilment) for each in decision.news
        ]
        self._ledger.write(tx, kept, decision, cause, told)
        if decision.refused:
            return Acted(state="refused", refused=decision.refused)
        tx.audit.append(
            _event("U", kept, wanted.fulfilment, cause),
            organization=self._ledger.organization,
            referral=kept.id,
        )
        return Acted(state="done")

    def _was_made(self, tx: Transaction, site: str, key: str, *, now: bool) -> bool:
        """Whether the move of this key was made before; remember that it is made `now`."""
        if now:
            return not tx.state.add(site, key, b"1", organization=self._ledger.organization)
        return tx.state.get(site, key) is not None


def _event(action: Literal["R", "U"], kept: Kept, fulfilment: str, cause: Cause) -> dict[str, Any]:
    subject = kept.case.referral.subject
    return audit_event(
        action,
        f"Task/{fulfilment}",
        actor=cause.actor,
        site=cause.site,
        at=cause.at,
        patient=subject.id if subject else None,
        role="agency",
    )
