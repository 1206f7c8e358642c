"""The referral: the authorisation, owned by the requester."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapter.referral.model.construction import quick
from adapter.referral.model.content import Alone, Answers, Document, Need, Note, Observation
from adapter.referral.model.people import ContactRules, Party, Person, RelatedPerson
from adapter.referral.model.values import Coding, Concept, Identifier, Period

Priority = Literal["routine", "urgent", "asap", "stat"]


ReferralStatus = Literal[
    "draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"
]


ShareBack = Literal["codes", "summary", "full"]


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The client's consent to this referral and to what may be shared back."""

    id: str | None = None
    status: str | None = None
    scope: str | None = None
    date: str | None = None
    recorded_by: str | None = None
    basis: str | None = None
    share_back: ShareBack | None = None
    withdrawn_at: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What is asked for: a type of service, a program, or both.

    `domain` is the kind of social need that it is for (SDOHCC temporary codes, `food-insecurity`).
    """

    code: Concept | None = None
    category: Concept | None = None
    domain: Coding | None = None
    program: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Referral:
    """The authorisation, owned by the requester (FHIR ServiceRequest).

    `identifiers` carry type PLAC (placer, the requester's own number), FILL (filler, ours) or none.
    `what_matters` is the client's own words and is shown first everywhere. `based_on` are the
    referrals that this one passes on: a hub's own order to fill them (FHIR intent filler-order).
    """

    id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    requisition: Identifier | None = None
    replaces: tuple[Identifier, ...] = ()
    based_on: tuple[Identifier, ...] = ()
    status: ReferralStatus | None = None
    status_reason: str | None = None
    priority: Priority | None = None
    authored_on: str | None = None
    occurrence: Period | None = None
    subject: Person | None = None
    related: tuple[RelatedPerson, ...] = ()
    requester: Party | None = None
    recipients: tuple[Party, ...] = ()
    other_parties: tuple[Party, ...] = ()
    service: Service | None = None
    needs: tuple[Need, ...] = ()
    reasons: tuple[Concept, ...] = ()
    reason: str | None = None
    what_matters: str | None = None
    interests: tuple[str, ...] = ()
    gifts: tuple[str, ...] = ()
    goals: tuple[str, ...] = ()
    contact_rules: ContactRules | None = None
    language: str | None = None
    interpreter: bool | None = None
    accessibility: tuple[str, ...] = ()
    consent: Consent | None = None
    disposition: tuple[Coding, ...] = ()
    setting: Coding | None = None
    documents: tuple[Document, ...] = ()
    observations: tuple[Observation, ...] = ()
    answers: tuple[Answers, ...] = ()
    notes: tuple[Note, ...] = ()
    program_tag: str | None = None
    test: bool | None = None
    alone: Alone | None = None
