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


Index = dict[str, list[int]]


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


class Catalogue:
    """Every program, found by what it is called and by what it serves, without asking each.

    A directory may list tens of thousands, and a referral is for a few of them.
    """

    def __init__(self, programs: Iterable[Program] = ()) -> None:
        self.all = tuple(programs)
        self._numbers: Index = {}
        self._names: Index = {}
        self._organizations: Index = {}
        self._services: Index = {}
        for place, each in enumerate(self.all):
            _enter(self._numbers, place, each.id, *each.identifiers)
            _enter(self._names, place, *each.name.values())
            _enter(self._organizations, place, each.organization)
            _enter(self._services, place, *each.needs, *each.interests)

    def numbered(self, words: Iterable[str]) -> tuple[Program, ...]:
        """Those of which an id or an identifier is among these words, in their order."""
        return self._found(self._numbers, words)

    def called(self, words: Iterable[str]) -> tuple[Program, ...]:
        """Those of which a name is among these words."""
        return self._found(self._names, words)

    def of(self, words: Iterable[str]) -> tuple[Program, ...]:
        """Those of an organization whose name is among these words."""
        return self._found(self._organizations, words)

    def serving(self, words: Iterable[str]) -> tuple[Program, ...]:
        """Those that serve a need, or share an interest, of these."""
        return self._found(self._services, words)

    def _found(self, index: Index, words: Iterable[str]) -> tuple[Program, ...]:
        places = {place for word in words for place in index.get(word.casefold(), ())}
        return tuple(self.all[place] for place in sorted(places))


def _enter(index: Index, place: int, *words: str) -> None:
    for word in words:
        index.setdefault(word.casefold(), []).append(place)


def named(referral: Referral, programs: Catalogue) -> tuple[Program, ...]:
    """The programs that the referral itself names: by number, else by name, else by organization.

    What the file says goes before what directories list, whoever lists what: a directory can not
    draw a referral to itself by taking a name. Several are left where nothing tells them apart.
    """
    wanted = set(_names(referral))
    by_number, by_name = programs.numbered(wanted), programs.called(wanted)
    for listed in (False, True):
        for some in (by_number, by_name):
            found = tuple(each for each in some if ("/" in each.id) is listed)
            if found:
                return found
    by_agency = programs.of(wanted)
    return by_agency if len(by_agency) == 1 else ()


def rank(
    referral: Referral, programs: Catalogue, *, at: datetime, fresh: timedelta
) -> tuple[Match, ...]:
    """Every program that serves a need or an interest, the best first.

    Args:
        at: the time; what was said of a program's room longer than `fresh` ago does not count.
    """
    needs = {code.casefold() for code in _need_codes(referral)}
    interests = {interest.casefold() for interest in referral.interests}
    matches = (
        _match(needs, interests, referral.language, each, each.unconfirmed(at, fresh))
        for each in programs.serving(needs | interests)
    )
    fitting = [each for each in matches if each.points > 0]
    return tuple(sorted(fitting, key=lambda each: (-each.points, each.program.id)))


def _match(
    needs: set[str], interests: set[str], spoken: str | None, program: Program, unconfirmed: bool
) -> Match:
    needs = needs & {each.casefold() for each in program.needs}
    shared = interests & {each.casefold() for each in program.interests}
    if not needs and not shared:
        return Match(program=program, points=0)
    points, why = 0, []
    if needs:
        points += WEIGHTS["need"]
        why.append("serves the need " + ", ".join(sorted(needs)))
    if shared:
        points += WEIGHTS["interest"]
        why.append("shares the interest " + ", ".join(sorted(shared)))
    language = (spoken or "")[:2]
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
