"""Admission: a new referral as it enters, with what its message left open and we know.

Status, our own number, consent by agreement, the program that it goes to, and the first fulfilment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapter.referral.identity import mapped_id
from adapter.referral.model import Consent, Fulfilment, Identifier, Referral
from adapter.referral.moment import not_before
from adapter.referral.programs import Catalogue, Program, named, rank
from adapter.referral.room import Entry

FILLER_SYSTEM = "https://social-prescribing-adapter.example/fhir/NamingSystem/referral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where a referral goes: a program or, without one, a navigator; and why, in words.

    `warning` is what whoever looks at it should know: the program has no room, as far as is known.
    """

    program: Program | None
    why: tuple[str, ...]
    warning: str = ""

    @property
    def destination(self) -> str | None:
        """The site that it goes to; None: to a navigator."""
        return self.program.site if self.program else None

    def entries(self, fulfilment: Fulfilment) -> list[Entry]:
        """The lines of the journal that say so of a new fulfilment."""
        program = self.program
        data = {"program": program.id if program else None, "why": list(self.why)}
        found = [Entry(kind=f"fulfilment.{fulfilment.status}", fulfilment=fulfilment.id, data=data)]
        if program is not None and self.warning:
            said = program.capacity_at
            data = {
                "program": program.id,
                "capacity": program.capacity,
                "as_of": said.isoformat(timespec="seconds") if said else None,
                "warning": self.warning,
            }
            found.append(Entry(kind="program.no-room", fulfilment=fulfilment.id, data=data))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a program is chosen.

    Attributes:
        send: ``named``: only the program that the referral names; ``best``: else the best match.
        capacity_days: how long what a directory said of a program's room counts.
    """

    send: str = "named"
    capacity_days: int = 30


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


NOT_NOW = {
    "waitlist": "has a waiting list alone",
    "full": "is full",
    "ask-first": "is to be asked first",
    "closed": "is closed at present",
}
"""What is said of a program that does not simply take people."""


def choose(referral: Referral, programs: Catalogue, rule: Rule, at: datetime) -> Choice:
    """The program that the referral names; else the best one, if the rule is ``best``.

    A program that is named gets the referral also when it is full: somebody meant it, and its
    people may know better; that it is full is a warning. No rule sends to one that is full or
    closed, or that wants to be asked first: then a navigator decides.
    """
    meant = named(referral, programs)
    if len(meant) > 1:
        titles = ", ".join(sorted(each.id for each in meant)[:5])
        return Choice(program=None, why=(f"it may mean any of {titles}; a navigator decides",))
    if meant and not meant[0].site:
        why = f"it names {meant[0].id}, which no configured site reaches; a navigator decides"
        return Choice(program=None, why=(why,))
    if meant:
        return Choice(
            program=meant[0], why=("the referral names it",), warning=_warning(meant[0], rule, at)
        )
    if rule.send != "best":
        return Choice(program=None, why=("no program is named; a navigator decides",))
    fresh = timedelta(days=rule.capacity_days)
    matches = rank(referral, programs, at=at, fresh=fresh)
    passed = []
    for match in matches:
        program = match.program
        if not program.site:
            continue
        if program.capacity in ("full", "closed", "ask-first"):
            passed.append(f"{program.id} {NOT_NOW[program.capacity]}")
            continue
        return Choice(
            program=program, why=(*match.why, *passed), warning=_warning(program, rule, at)
        )
    if passed:
        return Choice(program=None, why=(*passed, "a navigator decides"))
    return Choice(program=None, why=("no program is named; a navigator decides",))


def _warning(program: Program, rule: Rule, at: datetime) -> str:
    """What to know of a program that gets a referral and may have no room for it."""
    if program.capacity is None or program.capacity == "open":
        return ""
    of = f", as of {program.capacity_at:%Y-%m-%d}" if program.capacity_at else ""
    old = program.unconfirmed(at, timedelta(days=rule.capacity_days))
    doubt = ", which nobody has confirmed since" if old else ""
    return f"{program.title} {NOT_NOW[program.capacity]}{of}{doubt}"


def first_fulfilment(
    referral: Referral, stated: Fulfilment | None, program: Program | None, at: datetime
) -> Fulfilment:
    """The fulfilment that a new referral starts with; `stated` is what its message said of it."""
    said = stated or Fulfilment()
    authored_on = said.authored_on or referral.authored_on
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
        authored_on=authored_on,
        last_modified=not_before(authored_on, at.isoformat(timespec="milliseconds")),
        reply_by=said.reply_by or (reply_by.isoformat(timespec="seconds") if reply_by else None),
    )
