"""Dispatch: from what a decision tells to the deliveries that carry it, or why there are none.

Test isolation and consent are asked here when a delivery is queued, and by the courier once more
when it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapter.exchange.kept import Cause, Kept, journal
from adapter.exchange.news import (
    Told,
    addressed,
    for_performer,
    for_requester,
    message_kind,
    reference,
    reply_envelope,
)
from adapter.exchange.sites import SiteFacts
from adapter.plugin.messages import Notice
from adapter.referral.consent import may_send
from adapter.referral.document import from_document, to_document
from adapter.referral.model import Acknowledgement, Envelope, Fulfilment, Referral, ReferralEvent
from adapter.referral.programs import Program
from adapter.referral.room import Entry
from adapter.store.transaction import Transaction


class Dispatch:
    """Queues deliveries, in the transaction of the change that they tell of."""

    def __init__(
        self,
        *,
        organization: str,
        sites: Mapping[str, SiteFacts],
        programs: Mapping[str, Program],
    ) -> None:
        self.organization = organization
        self.sites = sites
        self.programs = programs

    def error(
        self,
        tx: Transaction,
        site: SiteFacts,
        asked: Envelope,
        said: Acknowledgement,
        *,
        inbox: str,
        test: bool,
        at: datetime,
    ) -> None:
        """Tell a sender that its message could not be used, in a lane of that message's own.

        It is told once: that a replay did not help either is no news to it.
        """
        told = Told(event="error-answer", acknowledges=said)
        kind = message_kind(site.capabilities, told.event)
        lane = f"inbox/{inbox}"
        if kind is None or tx.outbox.list(referral=lane, limit=1):
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
        tx.journal.append(
            organization=self.organization,
            inbox=inbox,
            actor="adapter",
            site=site.name,
            kind="delivery.queued",
            data={"to": site.name, "event": told.event, "kind": kind},
        )

    def tell(self, tx: Transaction, kept: Kept, told: Iterable[Told], cause: Cause) -> None:
        """Queue what each side is told."""
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
            program=_called(program, site.language) if program else None,
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
        """One delivery, or one line in the journal that says why there is none.

        Either line is about the destination, as all that follows about the delivery.
        """
        cause = replace(cause, site=site.name)
        blocked = self._blocked(kept, site, told)
        kind = message_kind(site.capabilities, told.event)
        if blocked or kind is None:
            why = blocked or f"the system of {site.name} has no way to say {told.event}"
            entry = Entry(
                kind="delivery.not-sent",
                fulfilment=told.fulfilment,
                data={"to": site.name, "event": told.event, "why": why},
            )
            journal(tx, self.organization, kept.id, [entry], cause)
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
        journal(tx, self.organization, kept.id, [entry], cause)

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


def _called(program: Program, language: str) -> str:
    """A program's name in a language, or in the one that it has."""
    return program.name.get(language) or program.title


def outbound_document(document: dict[str, Any], delivery: str, kind: str) -> ReferralEvent:
    """The event of a delivery, with the id and type of the message that carries it."""
    return addressed(from_document(ReferralEvent, document), delivery, kind)


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
