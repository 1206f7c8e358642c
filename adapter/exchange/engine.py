"""The engine: what each received message does, decided and written in one transaction.

A message is read in depth here, after its receipt. What fails here goes to quarantine, and its
sender is told by an application reply, never by silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from adapter.exchange.audit_event import audit_event
from adapter.exchange.clock import Clock, moment
from adapter.exchange.kept import Cause, Kept, is_party
from adapter.exchange.ledger import Ledger
from adapter.exchange.mapper import Mapper, Read
from adapter.exchange.news import Told
from adapter.exchange.quarantine import Quarantine
from adapter.exchange.sites import SiteFacts
from adapter.plugin.errors import DataError
from adapter.referral.admission import Rule, choose, completed, first_fulfilment
from adapter.referral.document import to_document
from adapter.referral.facts import answered
from adapter.referral.lifecycle import lifecycle
from adapter.referral.model import (
    Acknowledgement,
    Envelope,
    Fulfilment,
    Identifier,
    Reason,
    Referral,
    ReferralEvent,
)
from adapter.referral.moment import not_before
from adapter.referral.room import Case, Decision, Entry, Refused, cancel
from adapter.store.inbox_row import InboxRow
from adapter.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Processed:
    """What became of a message: ``processed``, ``quarantined``, or ``taken`` by another service;
    and its referral."""

    state: str
    referral: str | None = None


class Engine:
    """Turns received messages into decisions of the referral room."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        mapper: Mapper,
        sites: Mapping[str, SiteFacts],
        rule: Rule,
        clock: Clock,
    ) -> None:
        self.ledger = ledger
        self.mapper = mapper
        self.sites = sites
        self.rule = rule
        self.clock = clock
        self.quarantine = Quarantine(ledger=ledger, mapper=mapper, sites=sites, clock=clock)

    def process(self, tx: Transaction, row: InboxRow) -> Processed:
        """Read one accepted message and do what it asks; to be run inside one transaction.

        Another service on the same store may have been faster; then nothing is left to do.

        Raises:
            AdapterError: it cannot be used. The transaction must be undone, for some of what it
                asks may be written already; then `quarantine` it in another one.
        """
        if not tx.inbox.take(row.id):
            return Processed(state="taken")
        site = self.sites.get(row.site)
        if site is None:
            return self._homeless(tx, row)
        read = self.mapper.read(
            row.raw,
            format=row.format,
            dialect=row.dialect or site.dialect,
            site=row.site,
            timezone=site.timezone.key,
        )
        referral = self._apply(tx, row, site, read)
        tx.inbox.mark(row.id, "processed", referral=referral)
        return Processed(state="processed", referral=referral)

    def _homeless(self, tx: Transaction, row: InboxRow) -> Processed:
        """A message of a site that was taken out of the configuration before it was worked on."""
        error = DataError(
            "message.no-site",
            f"the site {row.site} is configured no more, so that nobody knows how to read this",
            fix=f"Add [sites.{row.site}] to adapter.toml again and replay it, or discard it.",
        )
        tx.inbox.mark(row.id, "quarantined", code=error.code, error=error.message, fix=error.fix)
        return Processed(state="quarantined")

    def _apply(self, tx: Transaction, row: InboxRow, site: SiteFacts, read: Read) -> str:
        event = read.event
        if event.referral is None:
            raise DataError(
                "message.no-referral",
                f"a {row.kind} was read, but it names no referral",
                fix="Look at the message, and replay it when the mapping is right.",
            )
        cause = Cause(
            actor=row.site,
            site=row.site,
            at=self.clock.now(),
            inbox=row.id,
            occurred=moment(event.envelope.sent_at if event.envelope else None, site.timezone),
        )
        kept = self._find(tx, row.site, event.referral)
        received = Entry(
            kind="message.received",
            data={"kind": row.kind, "warnings": list(read.warnings)},
        )
        if event.kind == "request" and kept is None:
            return self._new(tx, row, site, event, cause, received)
        if kept is None or not is_party(kept, row.site):
            raise DataError(
                "referral.unknown" if kept is None else "referral.of-another-site",
                f"a {row.kind} came for a referral that is not known here",
                fix="Check the referral number, or wait for the request and replay this message.",
            )
        further = _further(kept, event)
        if further is not None:
            return self._refer_on(tx, kept, further, cause, received)
        decision, told = self._change(kept, event, site, cause)
        told = self._with_acknowledgement(told, event.envelope, decision.refused)
        current = replace(kept, envelope=self._newer(kept.envelope, event.envelope))
        decision = replace(decision, entries=(received, *decision.entries))
        self.ledger.write(tx, current, decision, cause, told)
        self._audit(tx, "U", kept.id, kept.case.referral, cause)
        return kept.id

    def _find(self, tx: Transaction, site: str, referral: Referral) -> Kept | None:
        """By the id that its numbers give at this site, else by any number that we have seen.

        Raises:
            DataError: the person of this referral was erased.
        """
        found = tx.cases.whole(referral.id or "")
        if found is not None and found[0].erased_at is None:
            return self.ledger.kept(*found)
        if found is not None:
            raise DataError(
                "referral.erased",
                "a message came for a referral whose person was erased here",
                fix="Discard it, or let the sender begin again under a new referral number.",
            )
        for identifier in referral.identifiers:
            if identifier.value:
                owners = tx.identifiers.find(
                    identifier.system or "", identifier.value, owner_type="referral", site=site
                )
                if owners:
                    return self.ledger.load(tx, owners[0])
        return None

    def _new(
        self,
        tx: Transaction,
        row: InboxRow,
        site: SiteFacts,
        event: ReferralEvent,
        cause: Cause,
        received: Entry,
    ) -> str:
        referral = completed(
            event.referral or Referral(),
            organization=site.organization,
            attested=site.consent == "sender-attests",
            test=site.test or row.test,
            at=cause.at,
        )
        choice = choose(referral, self.ledger.programs.catalogue, self.rule, cause.at)
        program = choice.program
        stated = event.fulfilments[0] if event.fulfilments else None
        fulfilment = first_fulfilment(referral, stated, program, cause.at)
        case = Case(referral=referral, fulfilments=(fulfilment,))
        entries = [
            received,
            Entry(kind="referral.received", data={"status": referral.status}),
            *choice.entries(fulfilment),
        ]
        told = [Told(event="request", to="performer", fulfilment=fulfilment.id)]
        if event.envelope and event.envelope.application_ack in ("AL", "SU"):
            told.append(Told(event="request-answer", fulfilment=fulfilment.id))
        self.ledger.create(
            tx,
            case,
            event.envelope,
            {fulfilment.id or "": choice.destination} if choice.destination else {},
            cause,
            entries=entries,
            told=told,
        )
        self._audit(tx, "C", referral.id or "", referral, cause)
        return referral.id or ""

    def _refer_on(
        self, tx: Transaction, kept: Kept, stated: Fulfilment, cause: Cause, received: Entry
    ) -> str:
        """One more fulfilment of a referral that is open: after a decline, or beside the first."""
        choice = choose(kept.case.referral, self.ledger.programs.catalogue, self.rule, cause.at)
        made = first_fulfilment(kept.case.referral, stated, choice.program, cause.at)
        now = self.ledger.add_fulfilment(tx, kept, made, choice.destination)
        decision = Decision(case=now.case, entries=(received, *choice.entries(made)))
        told = [Told(event="request", to="performer", fulfilment=made.id)]
        self.ledger.write(tx, now, decision, cause, told)
        self._audit(tx, "U", kept.id, kept.case.referral, cause)
        return kept.id

    def _audit(
        self, tx: Transaction, action: Literal["C", "U"], own: str, referral: Referral, cause: Cause
    ) -> None:
        """A site's system created or changed a referral; no person is known behind it."""
        event = audit_event(
            action,
            f"ServiceRequest/{own}",
            actor=cause.actor,
            site=cause.site,
            at=cause.at,
            patient=referral.subject.id if referral.subject else None,
        )
        tx.audit.append(event, organization=self.ledger.organization, referral=own)

    def _change(
        self, kept: Kept, event: ReferralEvent, site: SiteFacts, cause: Cause
    ) -> tuple[Decision, list[Told]]:
        table = lifecycle(site.lifecycle)
        now = cause.at.isoformat(timespec="milliseconds")
        if event.kind == "cancel":
            decision = cancel(kept.case, _reason(event), table, now)
            told = _told(decision)
            return decision, [*told, Told(event="cancel-answer")]
        if event.kind == "status-request":
            asked = Entry(kind="referral.status-asked")
            return Decision(case=kept.case, entries=(asked,)), [Told(event="status-answer")]
        if event.kind in ("request", "modify"):
            return self.modified(kept, event, now), [
                Told(event="modify", to="performer"),
                Told(event="modify-answer"),
            ]
        return self._answered(kept, event, site, cause)

    def modified(self, kept: Kept, event: ReferralEvent, now: str) -> Decision:
        """The requester's new words replace the old; identity, status and consent stay ours."""
        before, said = kept.case.referral, event.referral or Referral()
        if before.status not in ("active", "on-hold", "draft", "unknown"):
            refused = Refused(
                code="referral.already-ended",
                message=f"the referral was already {before.status}",
                fix="Send a new referral.",
            )
            entry = Entry(kind="referral.modify-refused", data={"at": before.status})
            return Decision(case=kept.case, entries=(entry,), refused=refused)
        after = replace(
            said,
            id=before.id,
            identifiers=_union(before.identifiers, said.identifiers),
            status=before.status,
            authored_on=before.authored_on,
            consent=said.consent or before.consent,
            test=before.test,
        )
        was = to_document(before)
        changed = [name for name, value in to_document(after).items() if was.get(name) != value]
        fulfilments = tuple(
            replace(each, last_modified=not_before(each.authored_on, now))
            for each in kept.case.fulfilments
        )
        return Decision(
            case=Case(referral=after, fulfilments=fulfilments),
            entries=(Entry(kind="referral.modified", data={"changed": changed}),),
        )

    def _answered(
        self, kept: Kept, event: ReferralEvent, site: SiteFacts, cause: Cause
    ) -> tuple[Decision, list[Told]]:
        """A performer's own system says how it stands."""
        table = lifecycle(site.lifecycle)
        now = cause.at.isoformat(timespec="milliseconds")
        decision = Decision(case=kept.case)
        told: list[Told] = []
        for said in event.fulfilments:
            own = self._own_fulfilment(decision.case, said, kept, cause.site)
            step = answered(decision.case, own, said, table, now)
            told += _told(step)
            decision = Decision(
                case=step.case,
                entries=decision.entries + step.entries,
                refused=step.refused or decision.refused,
            )
        return decision, told

    def _own_fulfilment(self, case: Case, said: Fulfilment, kept: Kept, site: str) -> str:
        if said.id and case.fulfilment(said.id):
            return said.id
        for fulfilment in case.fulfilments:
            held = kept.held.get(fulfilment.id or "")
            if held and held.destination == site:
                return fulfilment.id or ""
        return ""

    def _with_acknowledgement(
        self, told: list[Told], envelope: Envelope | None, refused: Refused | None
    ) -> list[Told]:
        """Answers carry the message that they answer, and AE with the reason where it was refused.

        MSH-16 NE means that the sender wants no application reply (HL7 v2.5.1 2.9.3).
        """
        asked = envelope or Envelope()
        said = Acknowledgement(
            code="AE" if refused else "AA",
            message_id=asked.id,
            text=refused.message if refused else None,
            error_code="207" if refused else None,
        )
        sent = []
        for each in told:
            if not each.event.endswith("-answer"):
                sent.append(each)
            elif asked.application_ack != "NE":
                sent.append(replace(each, acknowledges=said))
        return sent

    def _newer(self, before: Envelope | None, after: Envelope | None) -> Envelope | None:
        return before or after


def _further(kept: Kept, event: ReferralEvent) -> Fulfilment | None:
    """The fulfilment that a request for a known, open referral adds; None if it only says it again.

    Rejected does not end a referral (SDOH-CC 3.0, Referral Workflow, step 7).
    """
    if event.kind != "request" or kept.case.referral.status not in ("active", "unknown"):
        return None
    new = [each for each in event.fulfilments if each.id and not kept.case.fulfilment(each.id)]
    return new[0] if new else None


def _told(decision: Decision) -> list[Told]:
    return [
        Told(event=each.event, to=each.to, fulfilment=each.fulfilment) for each in decision.news
    ]


def _reason(event: ReferralEvent) -> Reason | None:
    for fulfilment in event.fulfilments:
        if fulfilment.reason:
            return fulfilment.reason
    text = event.referral.status_reason if event.referral else None
    return Reason(code="other", text=text) if text else None


def _union(before: tuple[Identifier, ...], said: tuple[Identifier, ...]) -> tuple[Identifier, ...]:
    known = {(each.system, each.value) for each in before}
    return before + tuple(each for each in said if (each.system, each.value) not in known)
