"""Asking peers for news: one loop for each site whose system polls.

What a peer gave and the cursor that stands after it are stored in one transaction, under the same
rules as what is sent to us: a process that ends in between has neither, asks again, and takes what
it had already taken for what it is, a duplicate. Among several processes a lease lets one ask at a
time; a process that lost its lease can store nothing more.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from adapter.exchange import watch
from adapter.exchange.clock import Clock
from adapter.exchange.fleet import Fleet
from adapter.exchange.intake import take
from adapter.exchange.sites import SiteFacts
from adapter.exchange.watch import interrupting, raised, watched
from adapter.plugin.errors import (
    AdapterError,
    AuthError,
    ConfigError,
    GoneError,
    PluginError,
    TransientError,
)
from adapter.plugin.messages import Inbound
from adapter.store.errors import StoreError
from adapter.store.failpoints import point
from adapter.store.polls import PollRow
from adapter.store.store import Store
from adapter.store.transaction import Transaction

BATCH = 50
BATCH_BYTES = 4 * 1024 * 1024
PATIENCE = 120.0
LEASE = timedelta(seconds=30)
LOOK_AGAIN = 2.0
BACKOFF = (5, 30, 120, 600, 1_800, 3_600)
PERSON = 3_600
JITTER = 0.1
STANDS_STILL = ("paused", "disabled")
_BEFORE_KEEP = point("poll.before-keep")
_AFTER_KEEP = point("poll.after-keep")


@dataclass(slots=True)
class Batch:
    """Messages that were read and not yet stored, and the cursor after the last one."""

    messages: list[Inbound] = field(default_factory=list)
    size: int = 0
    cursor: str | None = None

    def add(self, message: Inbound, cursor: str) -> bool:
        """Take one; True if it is time to store."""
        self.messages.append(message)
        self.size += len(message.raw)
        self.cursor = cursor
        return len(self.messages) >= BATCH or self.size >= BATCH_BYTES


class Pollers:
    """Asks every site whose system polls."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        sites: Mapping[str, SiteFacts],
        organization: str,
        clock: Clock,
        received: Callable[[], None],
    ) -> None:
        self.store = store
        self.fleet = fleet
        self.sites = {name: site for name, site in sites.items() if polls(site)}
        self.organization = organization
        self.clock = clock
        self._received = received
        self._tasks: list[asyncio.Task[None]] = []
        self._stop = asyncio.Event()
        self._log = structlog.get_logger("polling")

    def start(self) -> None:
        """Begin to ask; returns at once."""
        self._tasks = [
            asyncio.create_task(self._run(site), name=f"poll {name}")
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

    async def _run(self, site: SiteFacts) -> None:
        while not self._stop.is_set():
            try:
                wait = await self._turn(site)
            except StoreError as error:
                self._log.warning("poll.store-unavailable", site=site.name, code=error.code)
                wait = 1.0
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), wait)

    async def _turn(self, site: SiteFacts) -> float:
        """Ask if it is time and nobody else does; seconds until it is worth looking again."""
        try:
            system = self.fleet.system(site.name)
        except TransientError:
            return 1.0  # the fleet opens it, and says why it could not
        row = await self.store.write(lambda tx: self._claim(tx, site.name))
        if row is not None:
            await self._ask(site, system, row)
        return await self.store.read(lambda tx: self._until_due(tx, site.name))

    def _claim(self, tx: Transaction, site: str) -> PollRow | None:
        now = self.clock.now()
        state = tx.sites.get(site)
        if state is not None and state.state in STANDS_STILL:
            return None
        tx.polls.begin(site, organization=self.organization, next_at=now)
        return tx.polls.claim(site, now=now, until=now + LEASE)

    def _until_due(self, tx: Transaction, site: str) -> float:
        """Never long: another process or an operator may move the time."""
        row = tx.polls.get(site)
        if row is None or row.next_at is None:
            return LOOK_AGAIN
        left = (row.next_at - self.clock.now()).total_seconds()
        return min(max(left, 0.05), LOOK_AGAIN)

    async def _ask(self, site: SiteFacts, system: Any, row: PollRow) -> None:
        """One round: everything that the peer has for us now."""
        batch = Batch()
        holding = asyncio.create_task(self._hold(site.name), name=f"lease {site.name}")
        fault: AdapterError | None = None
        try:
            try:
                await self._read(site, system, row.cursor, batch)
            except StoreError:
                raise
            except AdapterError as error:
                fault = error
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a plugin raises
                fault = raised(site.name, error, "poll()")
            await self._keep(site, batch)
            if fault is None:
                await self.store.write(lambda tx: self._went_well(tx, site, row))
            else:
                await self._failed(site, row, fault)
        finally:
            holding.cancel()
            await asyncio.gather(holding, return_exceptions=True)
            with suppress(StoreError):
                await self.store.write(lambda tx: tx.polls.leave(site.name))

    async def _read(self, site: SiteFacts, system: Any, cursor: str | None, batch: Batch) -> None:
        """Read to the end, storing as it goes; what is left in the batch is the caller's."""
        with interrupting(watch.STRETCH_SECONDS):
            found = system.poll(cursor)
        if not isinstance(found, AsyncIterator):
            raise _wrong_type(site.name, "is no asynchronous iterator")
        try:
            while not self._stop.is_set():
                item = await watched(_next(found), seconds=PATIENCE)
                if item is None:
                    return
                message, after = _checked(site.name, item)
                if batch.add(message, after):
                    await self._keep(site, batch)
        finally:
            await self._close(site.name, found)

    async def _close(self, site: str, found: AsyncIterator[Any]) -> None:
        close = getattr(found, "aclose", None)
        if close is None:
            return
        try:
            await watched(close(), seconds=watch.STRETCH_SECONDS)
        except Exception as error:  # noqa: BLE001 - what was read counts, not how it ended
            self._log.warning("poll.close-failed", site=site, error=type(error).__name__)

    async def _keep(self, site: SiteFacts, batch: Batch) -> None:
        """Store what was read and the cursor after it, in one transaction."""
        cursor = batch.cursor
        if cursor is None:
            return
        messages = tuple(batch.messages)
        _BEFORE_KEEP()
        accepted = await self.store.write(lambda tx: self._store(tx, site.name, messages, cursor))
        _AFTER_KEEP()
        batch.messages, batch.size, batch.cursor = [], 0, None
        self._log.info("poll.kept", site=site.name, messages=len(messages), new=accepted)
        if accepted:
            self._received()

    def _store(self, tx: Transaction, site: str, messages: tuple[Inbound, ...], cursor: str) -> int:
        until = self.clock.now() + LEASE
        tx.polls.keep(site, cursor, organization=self.organization, until=until)
        taken = [take(tx, each, site=site, organization=self.organization) for each in messages]
        return sum(receipt.state == "accepted" for receipt in taken)

    def _went_well(self, tx: Transaction, site: SiteFacts, row: PollRow) -> None:
        now = self.clock.now()
        tx.polls.done(site.name, now=now, next_at=now + _spread(site.poll_seconds))
        if row.code is not None:
            tx.sites.set(site.name, "ready", organization=self.organization)
            self._journal(tx, site.name, "poll.recovered", row.code)

    async def _failed(self, site: SiteFacts, row: PollRow, fault: AdapterError) -> None:
        self._log.warning("poll.failed", site=site.name, code=fault.code, tries=row.tries + 1)
        await self.store.write(lambda tx: self._mark(tx, site.name, row, fault))

    def _mark(self, tx: Transaction, site: str, row: PollRow, fault: AdapterError) -> None:
        state, next_at = sentence(fault, tries=row.tries, now=self.clock.now())
        said = {"code": fault.code, "error": fault.message, "fix": fault.fix}
        tx.polls.failed(site, next_at=next_at, **said)
        tx.sites.set(site, state, organization=self.organization, **said)
        if row.code != fault.code:  # told once, not with every try
            self._journal(tx, site, "poll.failed", fault.code)

    def _journal(self, tx: Transaction, site: str, kind: str, code: str) -> None:
        tx.journal.append(
            organization=self.organization,
            actor="adapter",
            site=site,
            kind=kind,
            data={"code": code},
        )

    async def _hold(self, site: str) -> None:
        """Renew the lease while a round goes on."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 3)
            try:
                await self.store.write(partial(_renew, site=site, until=self.clock.now() + LEASE))
            except StoreError as error:
                self._log.warning("poll.lease-not-renewed", site=site, code=error.code)
                return


def polls(site: SiteFacts) -> bool:
    """True if the site's system declares that it polls."""
    return site.capabilities.polls.level not in ("not-implemented", "impossible")


def sentence(fault: AdapterError, *, tries: int, now: datetime) -> tuple[str, datetime | None]:
    """What becomes of a site whose asking failed, and when it is asked again (None: not by itself).

    Credentials and settings wait for a person and are looked at once an hour; a peer that is gone
    is left alone; everything else is tried again after 5 s, 30 s, 2, 10, 30, 60 minutes, with 10 %
    jitter, or later where the peer said so.
    """
    if isinstance(fault, GoneError):
        return "disabled", None
    if isinstance(fault, AuthError):
        return "auth-required", now + _spread(PERSON)
    if isinstance(fault, ConfigError):
        return "config-error", now + _spread(PERSON)
    wait: float = BACKOFF[min(tries, len(BACKOFF) - 1)]
    if isinstance(fault, TransientError) and fault.retry_after:
        wait = max(wait, fault.retry_after)
    return ("failed" if isinstance(fault, PluginError) else "retrying"), now + _spread(wait)


def _spread(seconds: float) -> timedelta:
    """So that many sites, or processes, do not strike at once."""
    chance = random.random()  # noqa: S311 - spreads load, keeps no secret
    return timedelta(seconds=seconds * (1 - JITTER + 2 * JITTER * chance))


def _renew(tx: Transaction, *, site: str, until: datetime) -> None:
    tx.polls.hold(site, until=until)


async def _next(found: AsyncIterator[Any]) -> Any:
    """The next item, or None at the end."""
    try:
        return await anext(found)
    except StopAsyncIteration:
        return None


def _checked(site: str, item: Any) -> tuple[Inbound, str]:
    if not isinstance(item, tuple) or len(item) != 2:
        raise _wrong_type(site, "yields no pairs")
    message, cursor = item
    if not isinstance(message, Inbound) or not isinstance(cursor, str):
        raise _wrong_type(site, "yields no pairs of an Inbound and a cursor")
    return message, cursor


def _wrong_type(site: str, what: str) -> PluginError:
    return PluginError(
        "plugin.wrong-type",
        f"what poll() of the plugin of {site} gives {what}",
        fix="Update the plugin, or ask its maker: `adapter conform` shows it.",
    )
