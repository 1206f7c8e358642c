"""The mapping tables of a running service: the last good ones, and what is wrong with newer ones.

A site's own folder of packs (`[mappings] folders`) is looked at every few seconds, and on SIGHUP.
What changed is read, checked and compiled beside what runs; only a whole set without a fault takes
its place, between two messages. Otherwise the last good set stays, and log and `adapter sites list`
say which line of which file is wrong. At the start there is no last good set: then only the sites
that speak a format of the faulty pack stay closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

import structlog

from adapter.exchange.config import Config
from adapter.exchange.installed_plugins import Plugins
from adapter.exchange.packs import faults_of, sound_packs
from adapter.exchange.sites import SiteFacts
from adapter.mapping.errors import PackError
from adapter.mapping.packs import Packs, pack_folders, pack_formats
from adapter.mapping.table import Fault
from adapter.plugin.errors import ConfigError
from adapter.plugin.formats import Format

LOOK_SECONDS = 3.0
MOST_TOLD = 20
Signature = frozenset[tuple[str, int, int]]


class Tables:
    """The packs in use.

    Attributes:
        packs: the last good set.
        closed: by format, why its tables were never good since the start.
        refused: why what lies in the folders now is not in use; None if it is.
    """

    def __init__(self, config: Config, plugins: Plugins, formats: Mapping[str, Format]) -> None:
        """Load every pack.

        Raises:
            PackError: one of the shipped packs has a fault. ConfigError: a folder is out of bounds.
        """
        self._folders = [config.path(each) for each in config.mappings.folders]
        self._plugins = plugins
        self._formats = formats
        self.closed: dict[str, ConfigError] = {}
        self.refused: ConfigError | None = None
        self._seen = self._signature()
        self.packs = self._first()

    @property
    def watched(self) -> bool:
        """Whether there is any folder to look at."""
        return bool(self._folders)

    def changed(self) -> bool:
        """Whether a file is another than when this was last asked."""
        before, self._seen = self._seen, self._signature()
        return before != self._seen

    def reload(self) -> bool:
        """Read all tables again; True if they are in use now, False if `refused` says why not."""
        try:
            packs = self._load(self._folders)
        except PackError as error:
            self.refused = _refusal(error)
            return False
        self.packs, self.refused = packs, None
        self.closed.clear()
        return True

    def fault_of(self, site: SiteFacts) -> ConfigError | None:
        """Why a site cannot be opened; None if its tables are good."""
        return self.closed.get(site.capabilities.outbound_format or "")

    def _first(self) -> Packs:
        roots: list[Path] = [Path(str(each)) for each in pack_folders(self._folders)]
        while True:
            try:
                return self._load(roots)
            except PackError as error:
                faulty = [root for root in roots if faults_of(error, root)] or roots
                if not faulty:
                    raise
                self.refused = self.refused or _refusal(error)
                for name in {name for root in faulty for name in pack_formats(root)}:
                    self.closed.setdefault(name, self.refused)
                roots = [root for root in roots if root not in faulty]

    def _load(self, overrides: list[Path]) -> Packs:
        return sound_packs(
            self._plugins, self._formats, overrides=overrides, compiled=False, checked=True
        )

    def _signature(self) -> Signature:
        found = set()
        for folder in self._folders:
            for file in folder.rglob("*"):
                try:
                    about = file.stat()
                except OSError:  # it went while we looked; the next look sees that
                    continue
                found.add((str(file), about.st_mtime_ns, about.st_size))
        return frozenset(found)


def _refusal(error: PackError) -> ConfigError:
    """What is wrong, with file and line, for a person."""
    faults = [each for each in error.faults if isinstance(each, Fault)]
    first = str(faults[0]) if faults else error.message
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    for each in faults[:MOST_TOLD]:
        structlog.get_logger("tables").error(
            "tables.fault",
            file=each.where.file,
            line=each.where.line,
            code=each.code,
            what=each.message,
            fix=each.fix,
        )
    return ConfigError(
        "mapping.refused",
        f"a mapping table is refused: {first}{more}",
        fix='Correct that line; see all of them with "adapter mappings check" of the folder.',
    )


class SiteSigns(Protocol):
    """What of the fleet is told of tables."""

    async def reopen(self, name: str) -> None:
        """Open a site that was closed for its tables."""

    async def remark(self, name: str, fault: ConfigError | None) -> None:
        """Say something about an open site, or take it back."""


class TableWatch:
    """Looks at the folders while the service runs, and has what is good put into use."""

    def __init__(
        self,
        tables: Tables,
        sites: Mapping[str, SiteFacts],
        fleet: SiteSigns,
        use: Callable[[Packs], None],
    ) -> None:
        self._tables = tables
        self._sites = sites
        self._fleet = fleet
        self._use = use
        self._asked = asyncio.Event()
        self._log = structlog.get_logger("tables")

    def ask(self) -> None:
        """Read the tables again now, whether or not a file changed (SIGHUP)."""
        self._asked.set()

    async def run(self) -> None:
        """Look until cancelled."""
        if self._tables.refused is not None:
            await self._tell(self._tables.refused)
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._asked.wait()
            except TimeoutError:
                if not self._tables.watched or not await asyncio.to_thread(self._tables.changed):
                    continue
            self._asked.clear()
            await self.reload()

    async def reload(self) -> None:
        """Read the tables again; put them into use if they are good, say it if not."""
        closed = dict(self._tables.closed)
        if not await asyncio.to_thread(self._tables.reload):
            self._log.error("tables.refused", running="the last good tables")
            assert self._tables.refused is not None
            await self._tell(self._tables.refused)
            return
        self._use(self._tables.packs)
        self._log.info("tables.loaded", packs=len(self._tables.packs.packs))
        await self._each(lambda name: self._fleet.remark(name, None))
        for name, site in self._sites.items():
            if site.capabilities.outbound_format in closed:
                await self._fleet.reopen(name)

    async def _tell(self, fault: ConfigError) -> None:
        kept = ConfigError(
            fault.code, f"runs on the last good tables; {fault.message}", fix=fault.fix
        )
        await self._each(lambda name: self._fleet.remark(name, kept))

    async def _each(self, done: Callable[[str], Awaitable[None]]) -> None:
        """Every site whose messages are mapped by tables."""
        for name, site in self._sites.items():
            if site.capabilities.outbound_format and self._tables.fault_of(site) is None:
                await done(name)
