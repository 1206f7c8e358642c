"""Asking sites in turn: one loop for each, one process at a time, and what a failure means.

Among several processes a lease lets one ask at a time; a process that lost its lease can store
nothing more. What is asked for is the subclass's matter: `polling` news, `directories` programs.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import structlog

from adapter.exchange.clock import Clock
from adapter.exchange.fleet import Fleet
from adapter.exchange.holding import STANDS_STILL
from adapter.exchange.sites import SiteFacts
from adapter.exchange.watch import raised
from adapter.plugin.errors import (
    AdapterError,
    AuthError,
    ConfigError,
    GoneError,
    PluginError,
    TransientError,
)
from adapter.store.errors import StoreError
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from adapter.store.turns import Turns

LEASE = timedelta(seconds=30)
LOOK_AGAIN = 2.0
BACKOFF = (5, 30, 120, 600, 1_800, 3_600)
PERSON = 3_600
JITTER = 0.1


class Row(Protocol):
    """What is kept of a site's turns."""

    @property
    def tries(self) -> int:
        """How often in a row asking has failed."""

    @property
    def next_at(self) -> datetime | None:
        """When it is asked next; None: not before somebody says so."""

    @property
    def code(self) -> str | None:
        """Why it failed the last time."""


R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What all rounds are made with, whatever they ask for: of all `sites` each takes its own."""

    store: Store
    fleet: Fleet
    sites: Mapping[str, SiteFacts]
    organization: str
    clock: Clock


class Rounds(ABC, Generic[R]):
    """Asks some sites, each when its time has come.

    Attributes:
        word: what its lines in log and journal begin with: ``poll.failed``.
        method: what it calls, for people: ``poll()``.
    """

    word: ClassVar[str]
    method: ClassVar[str]

    def __init__(self, asking: Asking) -> None:
        self.store = asking.store
        self.fleet = asking.fleet
        self.sites = {name: site for name, site in asking.sites.items() if self.asks(site)}
        self.organization = asking.organization
        self.clock = asking.clock
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._log = structlog.get_logger(self.word)

    @abstractmethod
    def asks(self, site: SiteFacts) -> bool:
        """Whether a site is one of those to ask."""

    @abstractmethod
    def turns(self, tx: Transaction) -> Turns:
        """The repository that knows whose turn it is."""

    @abstractmethod
    def row(self, tx: Transaction, site: str) -> R | None:
        """What is kept of a site."""

    @abstractmethod
    async def read(self, site: SiteFacts, system: Any, row: R) -> None:
        """Ask for everything, and store it; what it raises is the site's fault, or the plugin's."""

    @abstractmethod
    def went_well(self, tx: Transaction, site: SiteFacts, row: R) -> None:
        """Write down that it was read to its end; the turn is given up by `Turns.done`."""

    @abstractmethod
    def failed(self, tx: Transaction, site: SiteFacts, row: R, fault: AdapterError) -> None:
        """Write down why it was not; the turn is given up by `Turns.failed`."""

    async def looked(self, site: SiteFacts) -> None:
        """Called at every look, whoever asks; for what other processes may have written."""

    def start(self) -> None:
        """Begin to ask; returns at once."""
        self._tasks = [
            asyncio.create_task(self._run(site), name=f"{self.word} {name}")
            for name, site in self.sites.items()
        ]

    async def stop(self, seconds: float) -> None:
        """Ask nothing new; what was read is stored, as long as it takes no more than `seconds`."""
        self._stop.set()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def stopping(self) -> bool:
        """True once nothing new is to be asked."""
        return self._stop.is_set()

    async def _run(self, site: SiteFacts) -> None:
        while not self._stop.is_set():
            try:
                wait = await self._turn(site)
            except StoreError as error:
                self._log.warning(f"{self.word}.store-unavailable", site=site.name, code=error.code)
                wait = 1.0
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait)

    async def _turn(self, site: SiteFacts) -> float:
        """Ask if it is time and nobody else does; seconds until it is worth looking again."""
        try:
            system = self.fleet.system(site.name)
        except TransientError:
            await self.looked(site)
            return 1.0  # the fleet opens it, and says why it could not
        row = await self.store.write(lambda tx: self._claim(tx, site.name))
        if row is not None:
            await self._ask(site, system, row)
        await self.looked(site)
        return await self.store.read(lambda tx: self._until_due(tx, site.name))

    def _claim(self, tx: Transaction, site: str) -> R | None:
        now = self.clock.now()
        state = tx.sites.get(site)
        if state is not None and state.state in STANDS_STILL:
            return None
        turns = self.turns(tx)
        turns.begin(site, organization=self.organization, next_at=now)
        return self.row(tx, site) if turns.take_turn(site, now=now, until=now + LEASE) else None

    def _until_due(self, tx: Transaction, site: str) -> float:
        """Never long: another process or an operator may move the time."""
        row = self.row(tx, site)
        if row is None or row.next_at is None:
            return LOOK_AGAIN
        left = (row.next_at - self.clock.now()).total_seconds()
        return min(max(left, 0.05), LOOK_AGAIN)

    async def _ask(self, site: SiteFacts, system: Any, row: R) -> None:
        """One round: everything that the peer has for us now."""
        holding = asyncio.create_task(self._hold(site.name), name=f"lease {site.name}")
        fault: AdapterError | None = None
        try:
            try:
                await self.read(site, system, row)
            except StoreError:
                raise
            except AdapterError as error:
                fault = error
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises
                fault = raised(site.name, error, self.method)
            if fault is None:
                await self.store.write(lambda tx: self.went_well(tx, site, row))
                return
            told = fault
            self._log.warning(
                f"{self.word}.failed", site=site.name, code=told.code, tries=row.tries + 1
            )
            await self.store.write(lambda tx: self.failed(tx, site, row, told))
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            with suppress(StoreError):
                await self.store.write(lambda tx: self.turns(tx).leave(site.name))

    def journal(self, tx: Transaction, site: str, kind: str, code: str) -> None:
        """A line about a site: ``poll.failed``, ``poll.recovered``."""
        tx.journal.append(
            organization=self.organization,
            actor="adapter",
            site=site,
            kind=f"{self.word}.{kind}",
            data={"code": code},
        )

    async def _hold(self, site: str) -> None:
        """Renew the lease while a round goes on."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            until = self.clock.now() + LEASE
            try:
                await self.store.write(lambda tx: self.turns(tx).hold(site, until=until))  # noqa: B023
            except StoreError as error:
                self._log.warning(f"{self.word}.lease-not-renewed", site=site, code=error.code)
                return


def sentence(fault: AdapterError, *, tries: int, now: datetime) -> tuple[str, datetime | None]:
    """What becomes of a site whose asking failed, and when it is asked again (None: not by itself).

    Credentials and settings wait for a person and are looked at once an hour; a peer that is gone
    is left alone; everything else is tried again after 5 s, 30 s, 2, 10, 30, 60 minutes, with 10 %
    jitter, or later where the peer said so.
    """
    if isinstance(fault, GoneError):
        return "disabled", None
    if isinstance(fault, AuthError):
        return "auth-required", now + spread(PERSON)
    if isinstance(fault, ConfigError):
        return "config-error", now + spread(PERSON)
    wait: float = BACKOFF[min(tries, len(BACKOFF) - 1)]
    if isinstance(fault, TransientError) and fault.retry_after:
        wait = max(wait, fault.retry_after)
    return ("failed" if isinstance(fault, PluginError) else "retrying"), now + spread(wait)


def spread(seconds: float) -> timedelta:
    """So many seconds, more or less: so that many sites, or processes, do not strike at once."""
    chance = random.random()  # noqa: S311 - spreads load, keeps no secret
    return timedelta(seconds=seconds * (1 - JITTER + 2 * JITTER * chance))
