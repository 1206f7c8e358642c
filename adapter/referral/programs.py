"""Programs: what the community offers, and which one fits a referral, with the reasons.

A navigator decides, or a rule may send (ADR on routing); here is only the ranking, pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapter.plugin.directory import Room
from adapter.referral.model import Party, Referral

WEIGHTS: Mapping[str, int] = {
    "need": 40,
    "interest": 25,
    "language": 15,
    "capacity": 10,
    "free": 5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program of the directory (FHIR HealthcareService).

    Attributes:
        id: a word of the file's; of a program that a directory lists, ``SITE/ID``.
        name: by language, ``en`` and ``fr``.
        organization: the agency that runs it.
        site: the site by which it is reached; empty if none is configured that does.
        identifiers: numbers and names by which a message may name it (PRD-7, HSDS id).
        needs: the codes of needs and need categories that it serves.
        interests: words that a client may use.
        languages: languages in which it is given.
        capacity: how much room it has: see `Room`; None if nobody says.
        capacity_at: of when that is; None where the file says so, which does not age.
        capacity_note: what is to be known about it, in words.
        listed_by: the site whose directory lists it, or says how much room it has; else None.
        reply_days: how many days it has for an answer.
        email: where it reads its mail, if the site has no address of its own.
    """

    id: str
    name: Mapping[str, str]
    organization: str
    site: str
    identifiers: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    interests: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    capacity: Room | None = "open"
    capacity_at: datetime | None = None
    capacity_note: str = ""
    listed_by: str | None = None
    cost: str = "free"
    reply_days: int = 14
    email: str | None = None

    @property
    def title(self) -> str:
        """Its name in one language, English if it has that."""
        return self.name.get("en") or next(iter(self.name.values()), self.id)

    def unconfirmed(self, at: datetime, fresh: timedelta) -> bool:
        """Whether what is known of its room is too old to count."""
        return self.capacity_at is not None and at - self.capacity_at > fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A program and how well it fits: points, and why in words that a person can check."""

    program: Program
    points: int
    why: tuple[str, ...] = field(default=())


def named(referral: Referral, programs: Iterable[Program]) -> tuple[Program, ...]:
    """The programs that the referral itself names: by number, else by name, else by organization.

    What the file says goes before what directories list, whoever lists what: a directory can not
    draw a referral to itself by taking a name. Several are left where nothing tells them apart.
    """
    wanted = set(_names(referral))
    if not wanted:
        return ()
    everything = tuple(programs)
    for some in (
        [p for p in everything if "/" not in p.id],
        [p for p in everything if "/" in p.id],
    ):
        found = [p for p in some if wanted & _folded(p.id, *p.identifiers)]
        found = found or [p for p in some if wanted & _folded(*p.name.values())]
        if found:
            return tuple(found)
    by_agency = tuple(p for p in everything if p.organization.casefold() in wanted)
    return by_agency if len(by_agency) == 1 else ()


def _folded(*words: str) -> set[str]:
    return {each.casefold() for each in words}


def rank(
    referral: Referral, programs: Iterable[Program], *, at: datetime, fresh: timedelta
) -> tuple[Match, ...]:
    """Every program that serves a need or an interest, the best first.

    Args:
        at: the time; what was said of a program's room longer than `fresh` ago does not count.
    """
    matches = [_match(referral, each, each.unconfirmed(at, fresh)) for each in programs]
    fitting = [each for each in matches if each.points > 0]
    return tuple(sorted(fitting, key=lambda each: (-each.points, each.program.id)))


def _match(referral: Referral, program: Program, unconfirmed: bool) -> Match:
    needs = {c.casefold() for c in _need_codes(referral)} & {n.casefold() for n in program.needs}
    interests = {i.casefold() for i in referral.interests}
    shared = interests & {i.casefold() for i in program.interests}
    if not needs and not shared:
        return Match(program=program, points=0)
    points, why = 0, []
    if needs:
        points += WEIGHTS["need"]
        why.append("serves the need " + ", ".join(sorted(needs)))
    if shared:
        points += WEIGHTS["interest"]
        why.append("shares the interest " + ", ".join(sorted(shared)))
    language = (referral.language or "")[:2]
    if language and language in program.languages:
        points += WEIGHTS["language"]
        why.append(f"is given in {language}")
    if program.capacity == "open" and unconfirmed:
        why.append("had room once, which nobody has confirmed since")
    elif program.capacity == "open":
        points += WEIGHTS["capacity"]
        why.append("has room")
    if program.cost == "free":
        points += WEIGHTS["free"]
        why.append("is free")
    return Match(program=program, points=points, why=tuple(why))


def _need_codes(referral: Referral) -> Iterable[str]:
    for need in referral.needs:
        if need.category:
            yield need.category
        for coding in need.code.codings if need.code else ():
            if coding.code:
                yield coding.code


def _names(referral: Referral) -> Iterable[str]:
    if referral.service and referral.service.program:
        yield referral.service.program.casefold()
    for party in referral.recipients:
        yield from (each.casefold() for each in _party_names(party))


def _party_names(party: Party) -> Iterable[str]:
    for holder in (party.practitioner, party.organization):
        for identifier in holder.identifiers if holder else ():
            if identifier.value:
                yield identifier.value
    if party.organization and party.organization.name:
        yield party.organization.name
    if party.practitioner and party.practitioner.name:
        name = party.practitioner.name
        yield " ".join(part for part in (*name.given, name.family) if part)
        if name.family:
            yield name.family
