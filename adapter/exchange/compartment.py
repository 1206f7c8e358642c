"""The compartment: what of the store an organization outside may see, and as what.

Whoever sent a referral sees all of it, and of the answer what the consent shares back. Whoever is
asked to fulfil it sees the Task as it is, and the rest as the referral is disclosed to it. What a
client wrote is its own; what it links to a referral is seen by those whose referral it is. All else
is not there: not found, not counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from adapter.exchange.answers import answered, answers, limited, unlimited
from adapter.exchange.kept import Kept
from adapter.exchange.ledger import Ledger
from adapter.referral.consent import may_send
from adapter.referral.disclosure import disclose, policy
from adapter.referral.lifecycle import Actor
from adapter.referral.room import Case
from adapter.store.parties import Share
from adapter.store.resources import ResourceRow
from adapter.store.transaction import Transaction

SHARED = frozenset({"HealthcareService"})
"""A directory: what a service offers and whether it has room says nothing about a client."""
NOBODYS = frozenset({"Questionnaire"})
"""Shipped questionnaires are nobody's, and may be read by everybody."""
ABOUT_NO_CLIENT = frozenset({"Organization", "PractitionerRole", "Practitioner", "Location"})
"""Who refers and where: shown whole to whoever is asked."""
PLAIN = ("requester", "performer", "orderDetail", "basedOn", "intent")
"""Of a request as its client wrote it: says who asks whom, and not to contact; no need."""
Face = dict[tuple[str, str], dict[str, Any]]


class Compartment:
    """What one party may see, in one transaction; without a party, everything."""

    def __init__(self, tx: Transaction, ledger: Ledger, party: str | None) -> None:
        self.party = party
        self._tx = tx
        self._ledger = ledger
        self._faces: dict[str, Face] = {}
        self._answers: dict[str, Face | None] = {}
        self._shares: dict[tuple[str, str], Share | None] = {}

    def shown(self, row: ResourceRow | None, *, newest: bool = True) -> ResourceRow | None:
        """A resource as this party may see it, or None: for it there is no such thing.

        `newest` is False for an older version: what is seen as disclosed has no history.
        """
        if row is None or row.deleted:
            return None
        if self.party is None or row.type in SHARED:
            return row
        share = self.share(row.type, row.id)
        if share is None and row.type in NOBODYS and not self._tx.parties.of(row.type, row.id):
            return row
        if share is None and row.referral is not None:
            share = self._through_referral(row, row.referral)
        if share is None:
            return None
        if row.type == "Task":
            asked = share.owns or row.content.get("status") != "draft"
            return self._task(row, share, newest=newest) if asked else None
        referral = share.referral or row.referral
        if referral is not None and self._asked_for(referral):
            return self._answer(referral, row, newest=newest)
        if share.referral is None:
            return row
        return self._disclosed(share.referral, row) if newest else None

    def share(self, kind: str, identity: str) -> Share | None:
        """How a resource is this party's by itself, whatever referral it belongs to."""
        place = (kind, identity)
        if place not in self._shares:
            found = self._tx.parties.share(self.party or "", kind, identity)
            self._shares[place] = found
        return self._shares[place]

    def forget(self) -> None:
        """Ask again from now on: something was shared."""
        self._shares.clear()
        self._faces.clear()
        self._answers.clear()

    def owns(self, row: ResourceRow) -> bool:
        """True if this party may write a record."""
        if self.party is None:
            return True
        share = self.share(row.type, row.id)
        return share is not None and share.owns

    def written(self, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
        """A new version of a Task, with what this party does not see of it as it is stored."""
        row = self._tx.resources.get("Task", after["id"])
        share = self.share("Task", after["id"])
        if share is None and row is not None and row.referral is not None:
            share = self._through_referral(row, row.referral)
        if row is None or share is None or row.content == self._task(row, share).content:
            return after
        return unlimited(before, after, row.content)

    def roles(self, referral: str, task: str) -> frozenset[Actor]:
        """As whom this party may move a fulfilment; as both if it is nobody in particular."""
        if self.party is None:
            return frozenset({"requester", "performer"})
        found: set[Actor] = set()
        request, asked = self.share("ServiceRequest", referral), self.share("Task", task)
        if request is not None and request.owns:
            found.add("requester")
        if asked is not None and asked.performs:
            found.add("performer")
        return frozenset(found)

    def _through_referral(self, row: ResourceRow, referral: str) -> Share | None:
        """Every part of a referral is its requester's; of another's Task a performer sees none."""
        share = self.share("ServiceRequest", referral)
        if share is None or share.owns:
            return share
        return None if row.type == "Task" else share

    def _asked_for(self, referral: str) -> bool:
        """True if this party asked for a referral, and does not carry it out itself."""
        share = self.share("ServiceRequest", referral)
        return share is not None and share.owns and not share.performs

    def _task(self, row: ResourceRow, share: Share, *, newest: bool = True) -> ResourceRow:
        """A Task; for its requester with as much of the answer as is shared back."""
        shared = None
        if row.referral is not None and not share.performs:
            shared = self._shared(row.referral)
        if shared is None:
            return row
        return answered(row, shared.get((row.type, row.id)) if newest else None)

    def _answer(self, referral: str, row: ResourceRow, *, newest: bool) -> ResourceRow | None:
        """Another's part of what this party asked for, as far as it is shared back."""
        if self.owns(row) or row.type in ABOUT_NO_CLIENT:
            return row
        shared = self._shared(referral)
        if shared is None:
            return row
        content = shared.get((row.type, row.id))
        return replace(row, content=content) if content is not None and newest else None

    def _shared(self, referral: str) -> Face | None:
        """A referral as it is shared back; None where everything is."""
        if referral not in self._answers:
            kept = self._ledger.load(self._tx, referral) if limited(self._tx, referral) else None
            found = answers(kept, self._ledger.projector) if kept else None
            self._answers[referral] = found
        return self._answers[referral]

    def _disclosed(self, referral: str, row: ResourceRow) -> ResourceRow | None:
        if referral not in self._faces:
            self._faces[referral] = self._face(referral)
        content = self._faces[referral].get((row.type, row.id))
        if row.type in ABOUT_NO_CLIENT and self._faces[referral]:
            return row
        if content is not None and row.type == "ServiceRequest":
            content = content | {name: row.content[name] for name in PLAIN if name in row.content}
        return None if content is None else replace(row, content=content)

    def _face(self, referral: str) -> Face:
        """A referral as it is disclosed to this party, with its own fulfilments alone."""
        kept = self._ledger.load(self._tx, referral)
        if kept is None or may_send(kept.case.referral, "sender-attests"):
            return {}
        own = tuple(
            each for each in kept.case.fulfilments if self.share("Task", each.id or "") is not None
        )
        shown = disclose(kept.case.referral, policy(self._policy(kept)))
        case = Case(referral=shown.referral, fulfilments=own)
        made = self._ledger.projector.resources(case, kept.site)
        return {(each["resourceType"], each["id"]): each for each in made}

    def _policy(self, kept: Kept) -> str:
        """The disclosure of this party's own site on the referral; the least, if it has none."""
        for held in kept.held.values():
            site = self._ledger.sites.get(held.destination or "")
            if site is not None and site.organization == self.party:
                return site.disclosure
        return "community-minimum"
