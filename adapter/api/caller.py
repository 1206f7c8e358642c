"""Who asks, in one transaction: what a write through the API needs at hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from adapter.exchange.kept import Cause
from adapter.exchange.service import Service
from adapter.referral.lifecycle import ACTORS, Actor, Lifecycle, lifecycle
from adapter.store.transaction import Transaction

SITE = "api"
"""In the journal: what came by this API and not from a site's system."""
ACTOR = "FHIR API, open"


@dataclass(frozen=True)
class Caller:
    """The one who writes. With ``auth = "open"`` it is anybody, who acts as whichever party may."""

    service: Service
    tx: Transaction
    at: datetime

    @property
    def base(self) -> str:
        """The address of this server's FHIR API."""
        return f"{self.service.base_url()}/fhir"

    @property
    def test(self) -> bool:
        """True where nothing but test sites is configured, as an open API requires."""
        return all(each.test for each in self.service.sites.values())

    @cached_property
    def table(self) -> Lifecycle:
        """The lifecycle that holds for writes through this API."""
        return lifecycle()

    def cause(self, inbox: str | None = None) -> Cause:
        """For the journal."""
        return Cause(actor=ACTOR, site=SITE, at=self.at, inbox=inbox)

    def acts_as(self, before: str, after: str) -> Actor:
        """The party that may make this move; the performer where nobody may, or nothing moves.

        Where both may, it is the requester: a performer would rather decline than cancel.
        """
        allowed = [each for each in ACTORS if self.table.allows(before, after, each)]
        return allowed[0] if allowed else "performer"

    def allowed(self, before: str) -> list[str]:
        """The statuses that anybody may set from here."""
        return list(dict.fromkeys(s for actor in ACTORS for s in self.table.choices(before, actor)))
