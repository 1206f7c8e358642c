"""The workbench: what came is worked off, each site's messages in the order of arrival.

A message that fails is undone as a whole and set aside; it stops no other. Where the store itself
cannot, nothing is set aside: the message waits until it is back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from adapter.exchange.comeback import Comeback
from adapter.exchange.engine import Engine
from adapter.plugin.errors import AdapterError, DataError
from adapter.store.errors import RaceError, StoreFault
from adapter.store.inbox_row import InboxRow
from adapter.store.store import Store

BATCH = 32
SHARED = 8
"""Messages that share a commit: what else is to be written (an acknowledgement, what became of a
delivery) waits for all of them, so that a long queue must not make it wait long."""


class Workbench:
    """Gives what waits in the inbox to the engine, until it is stopped.

    Args:
        worked: called when messages were worked on.

    Attributes:
        arrived: set it when something came.
    """

    def __init__(self, store: Store, engine: Engine, *, worked: Callable[[], None]) -> None:
        self.arrived = asyncio.Event()
        self._store = store
        self._engine = engine
        self._worked = worked
        self._comeback = Comeback(store)
        self._stopping = False
        self._log = structlog.get_logger("service")

    def begin_stop(self) -> None:
        """Begin nothing more, and wait for no store that is away."""
        self._stopping = True
        self._comeback.give_up()

    async def run(self) -> None:
        """Work through the inbox in the order of arrival; a fault of one message stops no other."""
        tried = 0
        while not self._stopping:
            self.arrived.clear()
            try:
                worked = await self.work()
                tried = 0
            except AdapterError as error:
                self._log.error("engine.store-unavailable", code=error.code)
                worked = 0
                await self._comeback.wait(tried)
                tried += 1
            except Exception as error:  # noqa: BLE001 - whatever it is, the inbox must go on
                self._log.error("engine.fault", error=type(error).__name__)
                worked = 0
                await asyncio.sleep(1.0)
            if not worked:
                try:
                    await asyncio.wait_for(self.arrived.wait(), timeout=1.0)
                except TimeoutError:
                    continue

    async def work(self) -> int:
        """Work through each site in its own order; the number of messages."""
        worked = 0
        for site in await self._store.read(lambda tx: tx.inbox.pending_sites()):
            rows = await self._pending(site)
            for start in range(0, len(rows), SHARED):
                await self._together(rows[start : start + SHARED])
            worked += len(rows)
        if worked:
            self._worked()
        return worked

    async def _together(self, rows: list[InboxRow]) -> None:
        """Some that may share a commit, in this order; all have ended before this returns.

        Raises:
            StoreFault, RaceError: the store could not, for one of them at least.
        """
        ended = await asyncio.gather(*map(self.one, rows), return_exceptions=True)
        for fault in ended:
            if isinstance(fault, BaseException):
                raise fault

    async def _pending(self, site: str) -> list[InboxRow]:
        try:
            return await self._store.read(lambda tx: tx.inbox.next_pending(site, limit=BATCH))
        except (StoreFault, RaceError):
            raise
        except AdapterError:
            return await self._readable(site)

    async def _readable(self, site: str) -> list[InboxRow]:
        """A site's messages, where the store cannot open one: that one is set aside."""
        ids = await self._store.read(lambda tx: tx.inbox.pending_ids(site, limit=BATCH))
        opened = [await self._opened(id, site) for id in ids]
        return [row for row in opened if row is not None]

    async def _opened(self, id: str, site: str) -> InboxRow | None:
        try:
            return await self._store.read(lambda tx: tx.inbox.get(id))
        except (StoreFault, RaceError):
            raise
        except AdapterError as error:
            unreadable = error
        self._log.error("engine.unreadable", id=id, code=unreadable.code)
        await self._store.write(
            lambda tx: self._engine.quarantine.set_unreadable_aside(tx, id, site, unreadable)
        )
        return None

    async def one(self, row: InboxRow) -> None:
        """Work on one message. What fails is undone as a whole, and then set aside."""
        try:
            await self._store.write(lambda tx: self._engine.process(tx, row))
        except (StoreFault, RaceError):
            raise
        except AdapterError as error:
            await self._set_aside(row, error)
        except Exception as error:  # noqa: BLE001 - it is quarantined with its class, and kept
            self._log.error("engine.fault", id=row.id, error=type(error).__name__)
            await self._set_aside(row, _engine_fault(error))

    async def _set_aside(self, row: InboxRow, error: AdapterError) -> None:
        try:
            await self._store.write(lambda tx: self._engine.quarantine.set_aside(tx, row, error))
        except (StoreFault, RaceError):
            raise
        except Exception as fault:  # noqa: BLE001 - no reply can be made; set aside all the same
            self._log.error("engine.no-reply", id=row.id, error=type(fault).__name__)
            await self._store.write(
                lambda tx: self._engine.quarantine.set_aside(tx, row, error, tell=False)
            )


def _engine_fault(error: Exception) -> DataError:
    return DataError(
        "engine.fault",
        f"the engine failed on it: {type(error).__name__}",
        fix="Report the fault; replay the message after an update.",
    )
