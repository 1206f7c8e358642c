"""One message about a referral, in either direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapter.referral.model.construction import quick
from adapter.referral.model.fulfilment import Fulfilment
from adapter.referral.model.referral import Referral

EventKind = Literal[
    "request", "modify", "cancel", "status-request", "answer", "outcome", "note", "appointment"
]


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Who sent or gets a message: application, facility, network address."""

    application: str | None = None
    facility: str | None = None
    address: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What a reply says of the message that it answers (HL7 v2 MSA and ERR)."""

    code: str | None = None
    message_id: str | None = None
    text: str | None = None
    error_code: str | None = None
    error_location: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The message's own facts, as its sender stated them (HL7 v2 MSH, FHIR MessageHeader).

    `accept_ack` and `application_ack` say which answers the sender wants (MSH-15, MSH-16: AL, NE,
    ER, SU). `reply` says what kind of message this one answers.
    """

    id: str | None = None
    type: str | None = None
    sent_at: str | None = None
    sender: Endpoint | None = None
    receiver: Endpoint | None = None
    processing: str | None = None
    version: str | None = None
    language: str | None = None
    character_set: str | None = None
    accept_ack: str | None = None
    application_ack: str | None = None
    reply: str | None = None
    acknowledges: Acknowledgement | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralEvent:
    """One message about a referral, in either direction: the root of every mapping table's path.

    `kind` says what the sender wants: request (new), modify, cancel, status-request, answer (a
    status), outcome, note, appointment.
    """

    kind: EventKind
    envelope: Envelope | None = None
    referral: Referral | None = None
    fulfilments: tuple[Fulfilment, ...] = ()
