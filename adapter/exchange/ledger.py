"""Writing a decision down: case, journal, FHIR projection and deliveries, in one transaction.

Everything that changes a referral goes through `Ledger.write`, whatever road it came by, so that
the journal, the projection and the outbox can never disagree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from adapter.exchange.news import (
    Told,
    addressed,
    for_performer,
    for_requester,
    message_kind,
    reference,
    reply_envelope,
)
from adapter.exchange.projection import Projector
from adapter.exchange.sites import SiteFacts
from adapter.plugin.messages import Notice
from adapter.referral.consent import may_send
from adapter.referral.document import from_document, to_document
from adapter.referral.model import Acknowledgement, Envelope, Fulfilment, Referral, ReferralEvent
from adapter.referral.programs import Program
from adapter.referral.room import Case, Decision, Entry
from adapter.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What led to a decision: who, where, by which message, when."""

    actor: str
    site: str
    at: datetime
    inbox: str | None = None
    occurred: datetime | None = None


class Held(NamedTuple):
    """A fulfilment's version in the store, and the site that it is with."""

    version: int
    destination: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A case as the store has it, with the request's envelope and how each fulfilment is held."""

    id: str
    site: str
    test: bool
    version: int
    received_at: datetime
    case: Case
    envelope: Envelope | None
    held: Mapping[str, Held]


class Ledger:
    """The one writer of referrals."""

    def __init__(
        self,
        *,
        organization: str,
        sites: Mapping[str, SiteFacts],
        programs: Iterable[Program],
        projector: Projector,
    ) -> None:
        self.organization = organization
        self.sites = sites
        self.programs = {each.id: each for each in programs}
        self.projector = projector

    def load(self, tx: Transaction, referral: str) -> Kept | None:
        """The case of this id as it stands now, or None."""
        row = tx.cases.get(referral)
        if row is None:
            return None
        fulfilments = tx.cases.fulfilments(referral)
        envelope = row.document.get("envelope")
        return Kept(
            id=row.id,
            site=row.site,
            test=row.test,
            version=row.version,
            received_at=row.received_at,
            case=Case(
                referral=from_document(Referral, row.document["referral"]),
                fulfilments=tuple(from_document(Fulfilment, each.document) for each in fulfilments),
            ),
            envelope=from_document(Envelope, envelope) if envelope else None,
            held={each.id: Held(each.version, each.destination) for each in fulfilments},
        )

    def create(
        self,
        tx: Transaction,
        case: Case,
        envelope: Envelope | None,
        destinations: Mapping[str, str],
        cause: Cause,
        *,
        entries: Iterable[Entry] = (),
        told: Iterable[Told] = (),
    ) -> None:
        """A new case: its rows, identifiers, journal, projection, and the first deliveries."""
        referral = case.referral
        identity = referral.id or ""
        tx.cases.add(
            id=identity,
            organization=self.organization,
            site=cause.site,
            status=referral.status or "active",
            test=bool(referral.test),
            document=_case_document(referral, envelope),
            received_at=cause.at,
        )
        for each in case.fulfilments:
            self._add_fulfilment(tx, identity, each, destinations.get(each.id or ""))
        self._remember(tx, cause.site, case)
        kept = Kept(
            id=identity,
            site=cause.site,
            test=bool(referral.test),
            version=1,
            received_at=cause.at,
            case=case,
            envelope=envelope,
            held={
                each.id or "": Held(1, destinations.get(each.id or "")) for each in case.fulfilments
            },
        )
        self._journal(tx, identity, entries, cause)
        self.projector.write(tx, self.organization, case, cause.at)
        self._tell(tx, kept, told, cause)

    def write(
        self,
        tx: Transaction,
        kept: Kept,
        decision: Decision,
        cause: Cause,
        told: Iterable[Told] = (),
    ) -> None:
        """What a decision changed, its journal, its projection, and what others are told."""
        case = decision.case
        if case is not kept.case:
            self._save(tx, kept, case)
            self.projector.write(tx, self.organization, case, cause.at)
        self._journal(tx, kept.id, decision.entries, cause)
        current = replace(kept, case=case)
        self._tell(tx, current, told, cause)

    def note(self, tx: Transaction, referral: str, entries: Iterable[Entry], cause: Cause) -> None:
        """Lines for the journal that change nothing, such as a view."""
        self._journal(tx, referral, entries, cause)

    def tell_error(
        self,
        tx: Transaction,
        site: SiteFacts,
        asked: Envelope,
        said: Acknowledgement,
        *,
        lane: str,
        test: bool,
        at: datetime,
    ) -> None:
        """Tell a sender that its message could not be used; `lane` stands for the referral."""
        told = Told(event="error-answer", acknowledges=said)
        kind = message_kind(site.capabilities, told.event)
        if kind is None:
            return
        event = ReferralEvent(kind="answer", envelope=reply_envelope(asked, told, at.isoformat()))
        tx.outbox.add(
            organization=self.organization,
            referral=lane,
            fulfilment=None,
            destination=site.name,
            event=told.event,
            kind=kind,
            document=to_document(event),
            notice=None,
            test=test,
        )

    def add_fulfilment(
        self, tx: Transaction, kept: Kept, fulfilment: Fulfilment, destination: str | None
    ) -> None:
        """One more fulfilment on a case."""
        self._add_fulfilment(tx, kept.id, fulfilment, destination)

    def _add_fulfilment(
        self, tx: Transaction, referral: str, fulfilment: Fulfilment, destination: str | None
    ) -> None:
        tx.cases.add_fulfilment(
            id=fulfilment.id or "",
            organization=self.organization,
            referral=referral,
            parent=fulfilment.parent,
            destination=destination,
            status=fulfilment.status or "requested",
            reason_code=fulfilment.reason.code if fulfilment.reason else None,
            document=to_document(fulfilment),
        )

    def _save(self, tx: Transaction, kept: Kept, case: Case) -> None:
        if case.referral is not kept.case.referral:
            tx.cases.save(
                kept.id,
                organization=self.organization,
                version=kept.version,
                status=case.referral.status or "unknown",
                document=_case_document(case.referral, kept.envelope),
            )
        for fulfilment in case.fulfilments:
            before = kept.case.fulfilment(fulfilment.id or "")
            if fulfilment is not before:
                tx.cases.save_fulfilment(
                    fulfilment.id or "",
                    organization=self.organization,
                    referral=kept.id,
                    version=kept.held[fulfilment.id or ""].version,
                    status=fulfilment.status or "unknown",
                    reason_code=fulfilment.reason.code if fulfilment.reason else None,
                    document=to_document(fulfilment),
                )

    def _remember(self, tx: Transaction, site: str, case: Case) -> None:
        """Every number that somebody may later call this referral by."""
        for identifier in case.referral.identifiers:
            if identifier.value:
                tx.identifiers.add(
                    organization=self.organization,
                    site=site,
                    owner_type="referral",
                    owner_id=case.referral.id or "",
                    system=identifier.system or "",
                    value=identifier.value,
                )

    def _journal(
        self, tx: Transaction, referral: str, entries: Iterable[Entry], cause: Cause
    ) -> None:
        for entry in entries:
            tx.journal.append(
                organization=self.organization,
                referral=referral,
                fulfilment=entry.fulfilment,
                inbox=cause.inbox,
                actor=cause.actor,
                site=cause.site,
                kind=entry.kind,
                data=dict(entry.data),
                occurred=cause.occurred,
            )

    def _tell(self, tx: Transaction, kept: Kept, told: Iterable[Told], cause: Cause) -> None:
        for each in told:
            if each.to == "performer":
                self._tell_performers(tx, kept, each, cause)
            else:
                self._tell_requester(tx, kept, each, cause)

    def _tell_requester(self, tx: Transaction, kept: Kept, told: Told, cause: Cause) -> None:
        site = self.sites.get(kept.site)
        if site is None:
            return
        event = for_requester(kept.case, told, kept.envelope, cause.at.isoformat())
        self._queue(tx, kept, site, told, to_document(event), None, cause)

    def _tell_performers(self, tx: Transaction, kept: Kept, told: Told, cause: Cause) -> None:
        for fulfilment in kept.case.fulfilments:
            held = kept.held.get(fulfilment.id or "")
            site = self.sites.get(held.destination or "") if held else None
            if site is None or (told.fulfilment and told.fulfilment != fulfilment.id):
                continue
            event = for_performer(
                kept.case, fulfilment, told, site.disclosure, cause.at.isoformat()
            )
            notice = self._notice(fulfilment, kept.case.referral, site)
            self._queue(
                tx,
                kept,
                site,
                Told(event=told.event, to="performer", fulfilment=fulfilment.id),
                to_document(event),
                notice,
                cause,
            )

    def _notice(self, fulfilment: Fulfilment, referral: Referral, site: SiteFacts) -> Notice:
        program = self.programs.get(fulfilment.program or "")
        return Notice(
            reference=reference(fulfilment.id or ""),
            fulfilment=fulfilment.id or "",
            program=program.name.get(site.language) if program else None,
            reply_by=datetime.fromisoformat(fulfilment.reply_by) if fulfilment.reply_by else None,
            urgent=referral.priority in ("urgent", "asap", "stat"),
            language=site.language,
            recipient_email=program.email if program else None,
        )

    def _queue(
        self,
        tx: Transaction,
        kept: Kept,
        site: SiteFacts,
        told: Told,
        document: dict[str, Any],
        notice: Notice | None,
        cause: Cause,
    ) -> None:
        """One delivery, or one line in the journal that says why there is none."""
        blocked = self._blocked(kept, site, told)
        kind = message_kind(site.capabilities, told.event)
        if blocked or kind is None:
            why = blocked or f"the system of {site.name} has no way to say {told.event}"
            entry = Entry(
                kind="delivery.not-sent",
                fulfilment=told.fulfilment,
                data={"to": site.name, "event": told.event, "why": why},
            )
            self._journal(tx, kept.id, [entry], cause)
            return
        tx.outbox.add(
            organization=self.organization,
            referral=kept.id,
            fulfilment=told.fulfilment,
            destination=site.name,
            event=told.event,
            kind=kind,
            document=document,
            notice=_notice_document(notice),
            test=kept.test,
        )
        entry = Entry(
            kind="delivery.queued",
            fulfilment=told.fulfilment,
            data={"to": site.name, "event": told.event, "kind": kind},
        )
        self._journal(tx, kept.id, [entry], cause)

    def _blocked(self, kept: Kept, site: SiteFacts, told: Told) -> str | None:
        if kept.test != site.test:
            return (
                "a test referral reaches test sites only"
                if kept.test
                else "a test site gets test referrals only"
            )
        if told.event in ("request", "modify"):
            return may_send(kept.case.referral, site.consent)
        return None


def outbound_document(document: dict[str, Any], delivery: str, kind: str) -> ReferralEvent:
    """The event of a delivery, with the id and type of the message that carries it."""
    return addressed(from_document(ReferralEvent, document), delivery, kind)


def _case_document(referral: Referral, envelope: Envelope | None) -> dict[str, Any]:
    document: dict[str, Any] = {"referral": to_document(referral)}
    if envelope:
        document["envelope"] = to_document(envelope)
    return document


def _notice_document(notice: Notice | None) -> dict[str, Any] | None:
    if notice is None:
        return None
    return {
        "reference": notice.reference,
        "fulfilment": notice.fulfilment,
        "program": notice.program,
        "reply_by": notice.reply_by.isoformat() if notice.reply_by else None,
        "urgent": notice.urgent,
        "language": notice.language,
        "recipient_email": notice.recipient_email,
    }


def notice_from(document: Mapping[str, Any] | None) -> Notice | None:
    """A notice as it was stored."""
    if document is None:
        return None
    reply_by = document["reply_by"]
    return Notice(
        **{**document, "reply_by": datetime.fromisoformat(reply_by) if reply_by else None}
    )
