"""Consent: whether something may be sent, and how much may be shared back."""

from __future__ import annotations

from dataclasses import replace

from adapter.referral.model import Consent, Fulfilment, Outcome, Referral


def may_send(referral: Referral, rule: str) -> str | None:
    """None if a referral may be sent on, else why not, in words without PHI.

    Args:
        referral: the referral with the consent that was recorded.
        rule: ``sender-attests`` (consent is by agreement unless the message says otherwise) or
            ``required`` (the message must say so).
    """
    consent = referral.consent
    if consent and consent.withdrawn_at:
        return "the client withdrew consent"
    if consent and consent.status in ("rejected", "inactive", "entered-in-error"):
        return "the client did not consent"
    if rule == "required" and (consent is None or consent.status != "active"):
        return "consent is required, and none was recorded"
    return None


def shared_back(fulfilment: Fulfilment, consent: Consent | None) -> Fulfilment:
    """The fulfilment as its requester may see it.

    Levels: ``codes`` (statuses and reason codes alone), ``summary`` (and the plain summary),
    ``full``. Without a recorded level the requester sees everything, as the consent to refer says.
    """
    level = consent.share_back if consent else None
    if level in (None, "full"):
        return fulfilment
    outcome = fulfilment.outcome
    if outcome is not None:
        kept = Outcome(enrolment=outcome.enrolment)
        if level == "summary":
            kept = replace(kept, summary=outcome.summary, next_step=outcome.next_step)
        outcome = kept
    reason = fulfilment.reason
    if reason is not None and level == "codes":
        reason = replace(reason, text=None)
    return replace(fulfilment, outcome=outcome, reason=reason, notes=(), sessions=())
