"""Admission: a new referral as it enters, with what its message left open and we know.

Status, our own number, consent by agreement, the program that it goes to, and the first fulfilment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapter.referral.identity import mapped_id
from adapter.referral.model import Consent, Fulfilment, Identifier, Referral
from adapter.referral.programs import Program, named, rank

FILLER_SYSTEM = "https://social-prescribing-adapter.example/fhir/NamingSystem/referral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where a referral goes: a program or, without one, a navigator; and why, in words."""

    program: Program | None
    why: tuple[str, ...]


def completed(
    referral: Referral, *, organization: str, attested: bool, test: bool, at: datetime
) -> Referral:
    """The referral with what its message left open.

    Args:
        organization: who sent it; it attests the consent.
        attested: True if, by agreement, a referral from there carries the client's consent.
        test: True if it can only be a test.
        at: when it came.
    """
    identifiers = referral.identifiers
    if not any(each.type == "FILL" for each in identifiers):
        filler = Identifier(system=FILLER_SYSTEM, value=referral.id, type="FILL")
        identifiers = (*identifiers, filler)
    consent = referral.consent
    if consent is None and attested:
        consent = Consent(
            id=mapped_id(referral.id or "", "Consent"),
            status="active",
            scope="referral",
            date=referral.authored_on or at.date().isoformat(),
            recorded_by=organization,
            basis="sender-attests",
        )
    return replace(
        referral,
        identifiers=identifiers,
        status=referral.status or "active",
        authored_on=referral.authored_on or at.isoformat(timespec="seconds"),
        consent=consent,
        test=test or None,
    )


def choose(referral: Referral, programs: Sequence[Program], send: str) -> Choice:
    """The program that the referral names; else the best one if the rule is ``best``."""
    program = named(referral, programs)
    if program is not None:
        return Choice(program=program, why=("the referral names it",))
    matches = rank(referral, programs) if send == "best" else ()
    if matches:
        return Choice(program=matches[0].program, why=matches[0].why)
    return Choice(program=None, why=("no program is named; a navigator decides",))


def first_fulfilment(
    referral: Referral, stated: Fulfilment | None, program: Program | None, at: datetime
) -> Fulfilment:
    """The fulfilment that a new referral starts with; `stated` is what its message said of it."""
    said = stated or Fulfilment()
    reply_by = at + timedelta(days=program.reply_days) if program else None
    return replace(
        said,
        id=said.id or mapped_id(referral.id or "", "Task", "0"),
        identifiers=said.identifiers or referral.identifiers,
        referral=referral.id,
        requester=said.requester or referral.requester,
        recipient=said.recipient or (referral.recipients[0] if referral.recipients else None),
        program=program.id if program else None,
        status="requested",
        priority=said.priority or referral.priority,
        authored_on=said.authored_on or referral.authored_on,
        last_modified=at.isoformat(timespec="milliseconds"),
        reply_by=said.reply_by or (reply_by.isoformat(timespec="seconds") if reply_by else None),
    )
