"""Asking peers for news: one loop for each site whose system polls.

What a peer gave and the cursor that stands after it are stored in one transaction, under the same
rules as what is sent to us: a process that ends in between has neither, asks again, and takes what
it had already taken for what it is, a duplicate.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from adapter.exchange.holding import say_state
from adapter.exchange.intake import take
from adapter.exchange.plugin_items import items, wrong_type
from adapter.exchange.rounds import LEASE, Asking, Rounds, sentence, spread
from adapter.exchange.sites import SiteFacts
from adapter.plugin.errors import AdapterError
from adapter.plugin.messages import Inbound
from adapter.store.errors import StoreError
from adapter.store.failpoints import point
from adapter.store.polls import PollRow
from adapter.store.transaction import Transaction
from adapter.store.turns import Turns

BATCH = 50
BATCH_BYTES = 4 * 1024 * 1024
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


class Pollers(Rounds[PollRow]):
    """Asks every site whose system polls."""

    word = "poll"
    method = "poll()"

    def __init__(self, asking: Asking, *, received: Callable[[], None]) -> None:
        super().__init__(asking)
        self._received = received

    def asks(self, site: SiteFacts) -> bool:
        """True if its system declares that it polls, and referrals pass by it."""
        return site.capabilities.polls.declared and site.role != "directory"

    def turns(self, tx: Transaction) -> Turns:
        """How far each site was read."""
        return tx.polls

    def row(self, tx: Transaction, site: str) -> PollRow | None:
        """How far one was."""
        return tx.polls.get(site)

    async def read(self, site: SiteFacts, system: Any, row: PollRow) -> None:
        """Read to the end, storing as it goes; what was read before a fault is kept."""
        batch = Batch()
        try:
            await self._through(site, system, row.cursor, batch)
        except StoreError:
            raise
        except (Exception, SystemExit):
            await self._keep(site, batch)
            raise
        await self._keep(site, batch)

    async def _through(
        self, site: SiteFacts, system: Any, cursor: str | None, batch: Batch
    ) -> None:
        given = items(site.name, lambda: system.poll(cursor), method=self.method)
        async with aclosing(given):
            async for item in given:
                message, after = _checked(site.name, item)
                if batch.add(message, after):
                    await self._keep(site, batch)
                if self.stopping:
                    return

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

    def went_well(self, tx: Transaction, site: SiteFacts, row: PollRow) -> None:
        """It is ready, and asked again after its time."""
        now = self.clock.now()
        tx.polls.done(site.name, now=now, next_at=now + spread(site.poll_seconds))
        if row.code is not None:
            say_state(tx, site.name, "ready", organization=self.organization)
            self.journal(tx, site.name, "recovered", row.code)

    def failed(self, tx: Transaction, site: SiteFacts, row: PollRow, fault: AdapterError) -> None:
        """The site stands as the fault says: what cannot be read can most likely not be written."""
        state, next_at = sentence(fault, tries=row.tries, now=self.clock.now())
        said = {"code": fault.code, "error": fault.message, "fix": fault.fix}
        tx.polls.failed(site.name, next_at=next_at, **said)
        say_state(tx, site.name, state, organization=self.organization, error=fault)
        if row.code != fault.code:  # told once, not with every try
            self.journal(tx, site.name, "failed", fault.code)


def _checked(site: str, item: Any) -> tuple[Inbound, str]:
    if not isinstance(item, tuple) or len(item) != 2:
        raise wrong_type(site, Pollers.method, "yields no pairs")
    message, cursor = item
    if not isinstance(message, Inbound) or not isinstance(cursor, str):
        raise wrong_type(site, Pollers.method, "yields no pairs of an Inbound and a cursor")
    return message, cursor
