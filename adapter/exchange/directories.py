"""Asking directories for their programs, and how much room each has.

What one round read is stored as a whole, in one transaction, in the place of what was there; what
failed leaves the last good list, with its age and the reason. Every process looks whether another
one has stored something new, so that all choose among the same programs.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from adapter.exchange.book import Listing, ProgramBook
from adapter.exchange.listings import Gathered
from adapter.exchange.plugin_items import items
from adapter.exchange.rounds import LEASE, Asking, Rounds, sentence, spread
from adapter.exchange.sites import SiteFacts
from adapter.plugin.errors import AdapterError, ConfigError, DataError
from adapter.store.directories import DirectoryRow, ProgramRow
from adapter.store.failpoints import point
from adapter.store.transaction import Transaction
from adapter.store.turns import Turns

_BEFORE_KEEP = point("directory.before-keep")
_AFTER_KEEP = point("directory.after-keep")


class Directories(Rounds[DirectoryRow]):
    """Asks every site that is a directory, and keeps the book of programs."""

    word = "directory"
    method = "list_programs() or report_capacity()"

    def __init__(self, asking: Asking, *, book: ProgramBook) -> None:
        super().__init__(asking)
        self._book = book
        self._used: dict[str, int] = {}

    def asks(self, site: SiteFacts) -> bool:
        """True if it is a directory."""
        return site.directory

    def turns(self, tx: Transaction) -> Turns:
        """Whose turn it is to ask."""
        return tx.directories

    def row(self, tx: Transaction, site: str) -> DirectoryRow | None:
        """How one directory stands."""
        return tx.directories.get(site)

    async def load(self) -> None:
        """Take what every directory listed the last time: before the first message is worked on."""
        for site in self.sites.values():
            await self.looked(site)

    async def read(self, site: SiteFacts, system: Any, row: DirectoryRow) -> None:
        """Read the list and the room, each to its end, and store them together.

        Where the list can be read and the room can not, the list is stored with the room that was
        known before, and the fault is raised.
        """
        lists = site.capabilities.lists_programs.declared
        reports = site.capabilities.reports_capacity.declared
        if not lists and not reports:
            raise ConfigError(
                "directory.cannot",
                f"the system {site.system} neither lists programs nor says how much room they have",
                fix=f"Take directory out of [sites.{site.name}], or use a system that does: "
                "adapter plugins list shows the abilities.",
            )
        found = Gathered(site.name)
        if lists:
            given = items(site.name, system.list_programs, method="list_programs()")
            async with aclosing(given):
                async for item in given:
                    found.add(item)
                    if self.stopping:
                        return
            await self._not_suddenly_empty(site, found)
        fault: AdapterError | None = None
        if reports:
            try:
                await self._rooms(site, system, found)
            except AdapterError as error:
                if not lists:
                    raise
                fault = error
        if self.stopping:
            return
        _BEFORE_KEEP()
        await self.store.write(
            lambda tx: self._keep(tx, site, row, found, reported=reports and fault is None)
        )
        _AFTER_KEEP()
        if fault is not None:
            raise fault

    async def _not_suddenly_empty(self, site: SiteFacts, found: Gathered) -> None:
        """Nobody closes everything at once; a peer that lost its data looks just like that.

        Raises:
            DataError: nothing is listed, where there was something before.
        """
        if found.listings:
            return
        before = await self.store.read(lambda tx: len(tx.directories.programs(site.name)))
        if before:
            raise DataError(
                "directory.empty",
                f"the directory of {site.name} lists no program any more, and had {before} before",
                fix="Ask who keeps it; the list of the last time stands. If it is true, take "
                f"directory out of [sites.{site.name}].",
            )

    async def _rooms(self, site: SiteFacts, system: Any, found: Gathered) -> None:
        given = items(site.name, system.report_capacity, method="report_capacity()")
        async with aclosing(given):
            async for item in given:
                found.report(item)
                if self.stopping:
                    return

    def _keep(
        self,
        tx: Transaction,
        site: SiteFacts,
        row: DirectoryRow,
        found: Gathered,
        *,
        reported: bool,
    ) -> None:
        now = self.clock.now()
        lists = site.capabilities.lists_programs.declared
        rows = found.rows(listed=lists)
        if not reported and site.capabilities.reports_capacity.declared:
            known = {each.id: each.capacity for each in tx.directories.programs(site.name)}
            rows = [
                ProgramRow(id=each.id, listing=each.listing, capacity=known.get(each.id))
                for each in rows
            ]
        tx.directories.keep(
            site.name,
            rows,
            organization=self.organization,
            listed_at=now if lists else None,
            reported_at=now if reported else row.reported_at,
            left_out=found.left_out,
            until=now + LEASE,
        )
        self._log.info(
            "directory.kept", site=site.name, programs=len(rows), left_out=found.left_out_count
        )

    def went_well(self, tx: Transaction, site: SiteFacts, row: DirectoryRow) -> None:
        """It is asked again after its time."""
        now = self.clock.now()
        tx.directories.done(site.name, now=now, next_at=now + spread(site.directory_seconds))
        if row.code is not None:
            self.journal(tx, site.name, "recovered", row.code)

    def failed(
        self, tx: Transaction, site: SiteFacts, row: DirectoryRow, fault: AdapterError
    ) -> None:
        """The list of the last time stands. Referrals may pass by this site all the same: how it
        stands with them is told by those who bring and fetch them."""
        _, next_at = sentence(fault, tries=row.tries, now=self.clock.now())
        said = {"code": fault.code, "error": fault.message, "fix": fault.fix}
        tx.directories.failed(site.name, next_at=next_at, **said)
        if row.code != fault.code:  # told once, not with every try
            self.journal(tx, site.name, "failed", fault.code)

    async def looked(self, site: SiteFacts) -> None:
        """Take what is stored, if it is newer than what we have."""
        found = await self.store.read(lambda tx: self._newer(tx, site.name))
        if found is not None:
            revision, listing = found
            self._used[site.name] = revision
            self._book.use(site.name, listing)

    def _newer(self, tx: Transaction, site: str) -> tuple[int, Listing] | None:
        row = tx.directories.get(site)
        if row is None or row.revision == self._used.get(site, 0):
            return None
        listing = Listing(rows=tx.directories.programs(site), reported_at=row.reported_at)
        return row.revision, listing
