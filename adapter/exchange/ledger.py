"""Writing a decision down: case, journal, FHIR projection and deliveries, in one transaction.

Everything that changes a referral goes through `Ledger.write`, whatever road it came by, so that
the journal, the projection and the outbox can never disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adapter.exchange.book import ProgramBook
from adapter.exchange.dispatch import Dispatch
from adapter.exchange.kept import Cause, Held, Kept, journal
from adapter.exchange.news import Told
from adapter.exchange.projection import Projector
from adapter.exchange.sites import SiteFacts
from adapter.referral.document import from_document, to_document, written_before
from adapter.referral.model import Envelope, Fulfilment, Referral
from adapter.referral.room import Case, Decision, Entry
from adapter.store.cases import CaseRow, FulfilmentRow
from adapter.store.identifiers import NewIdentifier
from adapter.store.transaction import Transaction


class Ledger:
    """The one writer of referrals."""

    def __init__(
        self,
        *,
        organization: str,
        sites: Mapping[str, SiteFacts],
        programs: ProgramBook,
        projector: Projector,
    ) -> None:
        self.organization = organization
        self.sites = sites
        self.programs = programs
        self.projector = projector
        self.dispatch = Dispatch(organization=organization, sites=sites, programs=self.programs)
        self.watch: Callable[[Transaction], None] = _nobody

    def load(self, tx: Transaction, referral: str) -> Kept | None:
        """The case of this id as it stands now, or None; also None if the person was erased."""
        found = tx.cases.whole(referral)
        return None if found is None or found[0].erased_at is not None else self.kept(*found)

    def load_of(self, tx: Transaction, fulfilment: str, site: str) -> Kept | None:
        """As `load`, by a fulfilment; None if it is not with this site."""
        found = tx.cases.whole_of(fulfilment, site)
        return None if found is None or found[0].erased_at is not None else self.kept(*found)

    def kept(self, row: CaseRow, fulfilments: Sequence[FulfilmentRow]) -> Kept:
        """The case of a row whose person was not erased."""
        envelope = row.document.get("envelope")
        return Kept(
            id=row.id,
            site=row.site,
            test=row.test,
            version=row.version,
            received_at=row.received_at,
            case=Case(
                referral=written_before(row.document["referral"]),
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
        received: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """A new case: its rows, identifiers, journal, projection, and the first deliveries.

        `received` are the FHIR resources by id that a client wrote it as.
        """
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
        site = self.sites.get(cause.site)
        if site is not None:
            self.grant(tx, site.organization, [("ServiceRequest", identity)], owns=True)
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
        journal(tx, self.organization, identity, entries, cause)
        self.projector.write(
            tx,
            self.organization,
            case,
            site=cause.site,
            at=cause.at,
            received=received or {},
            new=True,
        )
        self.dispatch.tell(tx, kept, told, cause)
        self.watch(tx)

    def write(
        self,
        tx: Transaction,
        kept: Kept,
        decision: Decision,
        cause: Cause,
        told: Iterable[Told] = (),
        received: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """What a decision changed, its journal, its projection, and what others are told.

        `received` are the FHIR resources by id that a client wrote the change as.
        """
        case = decision.case
        if case is not kept.case:
            self._save(tx, kept, case)
        if case is not kept.case or received:
            self.projector.write(
                tx, self.organization, case, site=kept.site, at=cause.at, received=received or {}
            )
        journal(tx, self.organization, kept.id, decision.entries, cause)
        current = replace(kept, case=case)
        self.dispatch.tell(tx, current, told, cause)
        self.watch(tx)

    def note(self, tx: Transaction, referral: str, entries: Iterable[Entry], cause: Cause) -> None:
        """Lines for the journal that change nothing, such as a view."""
        journal(tx, self.organization, referral, entries, cause)

    def add_fulfilment(
        self, tx: Transaction, kept: Kept, fulfilment: Fulfilment, destination: str | None
    ) -> Kept:
        """One more fulfilment on a case; the case with it, whose change is still to be written."""
        self._add_fulfilment(tx, kept.id, fulfilment, destination)
        held = {**kept.held, fulfilment.id or "": Held(1, destination)}
        case = replace(kept.case, fulfilments=(*kept.case.fulfilments, fulfilment))
        return replace(kept, case=case, held=held)

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
        site = self.sites.get(destination or "")
        if site is not None:
            mine = [("ServiceRequest", referral), ("Task", fulfilment.id or "")]
            self.grant(tx, site.organization, mine, performs=True, referral=referral)

    def grant(
        self,
        tx: Transaction,
        party: str,
        resources: Iterable[tuple[str, str]],
        *,
        owns: bool = False,
        performs: bool = False,
        referral: str | None = None,
    ) -> None:
        """Let an organization's API clients see resources, and act on them in a role."""
        tx.parties.grant(
            party,
            resources,
            organization=self.organization,
            owns=owns,
            performs=performs,
            referral=referral,
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
        tx.identifiers.add_many(
            [
                NewIdentifier(
                    owner_type="referral",
                    owner_id=case.referral.id or "",
                    system=identifier.system or "",
                    value=identifier.value,
                )
                for identifier in case.referral.identifiers
                if identifier.value
            ],
            organization=self.organization,
            site=site,
        )


def _nobody(_: Transaction) -> None:
    """Who watches where nobody subscribes."""


def _case_document(referral: Referral, envelope: Envelope | None) -> dict[str, Any]:
    document: dict[str, Any] = {"referral": to_document(referral)}
    if envelope:
        document["envelope"] = to_document(envelope)
    return document
