"""Who asks, in one transaction: what it may see and do, and in which role."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal

from adapter.api.faults import refused
from adapter.exchange.audit_event import audit_event
from adapter.exchange.compartment import NOBODYS, SHARED, Compartment
from adapter.exchange.concerned import one_patient, patient_of
from adapter.exchange.kept import Cause
from adapter.exchange.service import Service
from adapter.referral.lifecycle import ACTORS, Actor, Lifecycle, lifecycle
from adapter.security.incoming.scopes import Scopes
from adapter.store.clients import ClientRow
from adapter.store.resources import ResourceRow
from adapter.store.transaction import Transaction

SITE = "api"
"""In the journal: what came by this API and not from a site's system."""
OPEN = "FHIR API, open"
LETTERS = {"create": "c", "read": "r", "update": "u", "search": "s"}
Interaction = Literal["create", "read", "update", "search"]


@dataclass(frozen=True)
class Caller:
    """The one who asks. With ``auth = "open"`` it is anybody, who acts as whichever party may."""

    service: Service
    tx: Transaction
    at: datetime
    client: ClientRow | None = None
    scopes: Scopes | None = None

    @property
    def base(self) -> str:
        """The address of this server's FHIR API."""
        return f"{self.service.base_url()}/fhir"

    @property
    def party(self) -> str | None:
        """The organization that it speaks for; None: it is nobody in particular, and sees all."""
        return self.client.party if self.client else None

    @property
    def name(self) -> str:
        """In journal and audit."""
        return f"{self.client.party} ({self.client.name})" if self.client else OPEN

    @property
    def test(self) -> bool:
        """True where nothing but test sites is configured, as an open API requires."""
        return all(each.test for each in self.service.sites.values())

    @cached_property
    def table(self) -> Lifecycle:
        """The lifecycle that holds for writes through this API."""
        return lifecycle()

    @cached_property
    def compartment(self) -> Compartment:
        """What it may see."""
        return Compartment(self.tx, self.service.ledger, self.party)

    def may(self, interaction: Interaction, kind: str) -> bool:
        """Whether its token's scopes allow this."""
        return self.scopes is None or self.scopes.allow(kind, LETTERS[interaction])

    def must(self, interaction: Interaction, kind: str) -> None:
        """Refuse (403) what its token's scopes do not allow."""
        if not self.may(interaction, kind):
            text = f"the token has no scope system/{kind}.{LETTERS[interaction]}"
            raise refused(403, text, "http.authorization", rule="insufficient-scope")

    def get(self, kind: str, identity: str, version: int | None = None) -> ResourceRow | None:
        """A resource as it may see it, or None: for this caller there is no such thing."""
        row = self.tx.resources.get(kind, identity, version)
        if row is None or version is None or self.party is None:
            return self.compartment.shown(row)
        newest = self.tx.resources.get(kind, identity)
        return self.compartment.shown(row, newest=newest is None or newest.version == version)

    def narrowed(self, kind: str) -> str | None:
        """The party that a search in the store is narrowed to; None where others' may be seen."""
        return None if kind in SHARED or kind in NOBODYS else self.party

    def own(self, kind: str, identity: str) -> None:
        """Make what it has just written its own."""
        if self.party is not None:
            self.service.ledger.grant(self.tx, self.party, [(kind, identity)], owns=True)
            self.compartment.forget()

    def saw(self, row: ResourceRow) -> None:
        """Write into the audit that it looked at one, in the transaction that shows it."""
        self._audit("R", f"{row.type}/{row.id}", row.referral, patient_of(row))

    def found(self, kind: str, rows: Iterable[ResourceRow]) -> None:
        """Write into the audit that it searched, and of whom, where all are about one patient."""
        self._audit("R", kind, None, one_patient(rows))

    def wrote(self, what: str, row: ResourceRow | None, *, created: bool) -> None:
        """Write into the audit that it changed something; `row` is what it sees of it."""
        action: Literal["C", "U"] = "C" if created else "U"
        about = (row.referral, patient_of(row)) if row else (None, None)
        self._audit(action, what, *about)

    def _audit(
        self, action: Literal["C", "R", "U"], what: str, referral: str | None, patient: str | None
    ) -> None:
        event = audit_event(action, what, actor=self.name, site=SITE, at=self.at, patient=patient)
        self.tx.audit.append(event, organization=self.service.organization, referral=referral)

    def cause(self, inbox: str | None = None) -> Cause:
        """For the journal."""
        return Cause(actor=self.name, site=SITE, at=self.at, inbox=inbox)

    def acts_as(self, before: str, after: str, roles: Collection[Actor]) -> Actor:
        """The one of its roles that may make this move; where none may, any, to be refused.

        Where both may, it is the requester: a performer would rather decline than cancel.
        """
        allowed = [
            each for each in ACTORS if each in roles and self.table.allows(before, after, each)
        ]
        if allowed:
            return allowed[0]
        return "requester" if "performer" not in roles and roles else "performer"

    def allowed(self, before: str, roles: Collection[Actor] = ACTORS) -> list[str]:
        """The statuses that it may set from here."""
        return list(dict.fromkeys(s for actor in roles for s in self.table.choices(before, actor)))
