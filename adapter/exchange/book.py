"""The book of programs: those of the operator's file, and those that directories list.

The file is the operator's own word and goes first: where a directory lists the same program, the
row keeps its words, and learns from the directory how much room there is. A program that only a
directory lists can be chosen where a configured site reaches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from adapter.exchange.sites import SiteFacts
from adapter.plugin.directory import Room
from adapter.referral.programs import Catalogue, Program
from adapter.store.directories import ProgramRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What one directory lists, and of when it is."""

    rows: Sequence[ProgramRow] = ()
    reported_at: datetime | None = None


class ProgramBook(Mapping[str, Program]):
    """All programs by id, as they stand now; it changes when a directory was read anew.

    Args:
        own: the programs of the file.
        sites: every configured site, by which programs are reached.
    """

    def __init__(self, own: Iterable[Program] = (), sites: Mapping[str, SiteFacts] | None = None):
        self._own = tuple(own)
        self._sites = dict(sites or {})
        self._listings: dict[str, Listing] = {}
        self.catalogue = Catalogue(self._own)
        self._by_id = {each.id: each for each in self._own}

    def __getitem__(self, id: str) -> Program:
        """One program."""
        return self._by_id[id]

    def __iter__(self) -> Iterator[str]:
        """Every id."""
        return iter(self._by_id)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_id)

    @property
    def all(self) -> tuple[Program, ...]:
        """Every program: those of the file first, then by directory, in the order of its list."""
        return self.catalogue.all

    def use(self, directory: str, listing: Listing) -> None:
        """Take what a directory lists in the place of what it listed before."""
        self._listings[directory] = listing
        found = {each.id: each for each in self._own}
        listed: dict[str, Program] = {}
        for name in sorted(self._listings):
            self._add(name, self._listings[name], found, listed)
        by_id = {**found, **listed}
        self.catalogue, self._by_id = Catalogue(by_id.values()), by_id

    def _add(
        self,
        directory: str,
        listing: Listing,
        found: dict[str, Program],
        listed: dict[str, Program],
    ) -> None:
        facts = self._sites.get(directory)
        rows_of = self._linked(directory, facts)
        for row in listing.rows:
            room = _room(row, listing.reported_at)
            program = next(
                (found[own] for key in _keys(directory, row) for own in rows_of.get(key, ())), None
            )
            if program is not None:
                found[program.id] = replace(program, **room, listed_by=directory)
            elif row.listing is not None:
                made = self._program(directory, facts, row.id, row.listing)
                listed[made.id] = replace(made, **{"capacity": None, **room})

    def _linked(self, directory: str, facts: SiteFacts | None) -> dict[str, list[str]]:
        """Which rows of the file a directory may speak of, by what it may call them.

        Any row that names ``SITE/ID`` itself; and by number those that are reached by the very
        site, or are of the organization that the listing says.
        """
        keys: dict[str, list[str]] = {}
        for own in self._own:
            reached = self._sites.get(own.site)
            if facts is not None and reached is not None and reached.test != facts.test:
                continue
            for identifier in {own.id, *own.identifiers}:
                keys.setdefault(f"={identifier}", []).append(own.id)
                keys.setdefault(f"{own.organization.casefold()}={identifier}", []).append(own.id)
                if own.site == directory:
                    keys.setdefault(f"@{identifier}", []).append(own.id)
        return keys

    def _program(
        self, directory: str, facts: SiteFacts | None, id: str, listing: Mapping[str, Any]
    ) -> Program:
        organization = listing["provided_by"]
        return Program(
            id=f"{directory}/{id}",
            name=listing["name"],
            organization=organization,
            site=self._reached(directory, facts, organization),
            identifiers=(id, *listing["identifiers"]),
            needs=tuple(listing["category"]),
            interests=tuple(listing["characteristic"]),
            languages=tuple(each[:2].lower() for each in listing["communication"]),
            listed_by=directory,
            cost=listing["cost"],
            email=None,
        )

    def _reached(self, directory: str, facts: SiteFacts | None, organization: str) -> str:
        """The one site of the organization that takes referrals; else the directory's own, if it
        does; else none. A test directory leads to test sites alone, and a real one to real ones."""
        if facts is None:
            return ""
        of = [
            name
            for name, site in self._sites.items()
            if site.role == "performer"
            and site.test == facts.test
            and organization
            and site.organization.casefold() == organization.casefold()
        ]
        if len(of) == 1:
            return of[0]
        takes = facts.role == "performer" and facts.capabilities.delivers.declared
        return directory if takes and not of else ""


def _keys(directory: str, row: ProgramRow) -> Iterator[str]:
    """What a row of the file may be found by, the surest first."""
    names = (row.id, *(row.listing["identifiers"] if row.listing else ()))
    yield f"={directory}/{row.id}"
    for each in names:
        yield f"@{each}"
    organization = row.listing["provided_by"].casefold() if row.listing else ""
    if organization:
        for each in names:
            yield f"{organization}={each}"


def _room(row: ProgramRow, reported_at: datetime | None) -> dict[str, Any]:
    """What is known of a program's room; nothing, if nothing is said of it."""
    if row.listing is not None and not row.listing["active"]:
        return {"capacity": "closed", "capacity_at": None, "capacity_note": ""}
    if row.capacity is None:
        return {}
    said = row.capacity["updated"]
    status: Room = row.capacity["status"]
    return {
        "capacity": status,
        "capacity_at": datetime.fromisoformat(said) if said else reported_at,
        "capacity_note": row.capacity["note"],
    }
