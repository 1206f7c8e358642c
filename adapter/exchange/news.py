"""Who hears what: from the news of a decision to the deliveries that carry it.

A requester hears of every change that somebody else made, and gets an answer to what it asked. A
performer hears of a new referral and of the requester's changes. What a site's system cannot say
(an event that it declares no kind for) is journaled as not carried, never dropped silently.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from adapter.plugin.capabilities import Capabilities
from adapter.referral.consent import shared_back
from adapter.referral.disclosure import disclose, policy
from adapter.referral.lifecycle import Actor
from adapter.referral.model import (
    Acknowledgement,
    Endpoint,
    Envelope,
    EventKind,
    Fulfilment,
    Referral,
    ReferralEvent,
)
from adapter.referral.room import Case

EVENT_KINDS: Mapping[str, EventKind] = {
    "request": "request",
    "modify": "modify",
    "cancel": "cancel",
    "answer": "answer",
    "request-answer": "answer",
    "modify-answer": "answer",
    "cancel-answer": "answer",
    "status-answer": "answer",
    "outcome": "outcome",
    "note": "note",
    "appointment": "appointment",
}


REPLIES: Mapping[str, str] = {
    "request-answer": "request",
    "modify-answer": "modify",
    "cancel-answer": "cancel",
    "status-answer": "status-request",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One thing to tell one side: the event's name, and the acknowledgement that it carries."""

    event: str
    to: Actor = "requester"
    fulfilment: str | None = None
    acknowledges: Acknowledgement | None = None


def control_id(delivery: str) -> str:
    """A message control id of at most 20 characters, always the same for one delivery (MSH-10)."""
    digest = hashlib.sha256(delivery.encode()).digest()
    return base64.b32encode(digest)[:16].decode()


def reference(fulfilment: str) -> str:
    """The short reference that people read over the phone; it says nothing about a person."""
    return "rx-" + hashlib.sha256(fulfilment.encode()).hexdigest()[:8]


def message_kind(capabilities: Capabilities, event: str) -> str | None:
    """The message kind that a system says this event with; None if it does not say it."""
    return capabilities.outbound_kinds.get(event)


def for_requester(case: Case, told: Told, request: Envelope | None, sent_at: str) -> ReferralEvent:
    """The event for the site that made the referral: its own referral, the change, no more.

    What the client shares back is limited by the consent's share-back level.
    """
    fulfilments = tuple(
        shared_back(each, case.referral.consent)
        for each in case.fulfilments
        if told.fulfilment is None or each.id == told.fulfilment
    )
    return ReferralEvent(
        kind=EVENT_KINDS[told.event],
        envelope=reply_envelope(request, told, sent_at),
        referral=case.referral,
        fulfilments=fulfilments,
    )


def for_performer(
    case: Case, fulfilment: Fulfilment, told: Told, disclosure: str, sent_at: str
) -> ReferralEvent:
    """The event for the site that carries the referral out, after disclosure."""
    disclosed: Referral = disclose(case.referral, policy(disclosure)).referral
    return ReferralEvent(
        kind=EVENT_KINDS[told.event],
        envelope=Envelope(sent_at=sent_at, processing="T" if case.referral.test else "P"),
        referral=disclosed,
        fulfilments=(fulfilment,),
    )


def reply_envelope(request: Envelope | None, told: Told, sent_at: str) -> Envelope:
    """The answer's envelope: sender and receiver of the request, exchanged."""
    asked = request or Envelope()
    return Envelope(
        sent_at=sent_at,
        sender=asked.receiver or Endpoint(application="ADAPTER"),
        receiver=asked.sender,
        processing=asked.processing,
        version=asked.version,
        reply=REPLIES.get(told.event) or asked.reply,
        acknowledges=told.acknowledges
        or Acknowledgement(code="AA", message_id=asked.id if asked.id else None),
    )


def addressed(event: ReferralEvent, delivery: str, kind: str) -> ReferralEvent:
    """The event with the id and type of the message that will carry it."""
    envelope = event.envelope or Envelope()
    return replace(event, envelope=replace(envelope, id=control_id(delivery), type=kind))
