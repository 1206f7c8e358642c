"""The store: open it, read from it, write to it. SQLite or PostgreSQL; nobody else knows which."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from adapter.store import audit, failpoints, journal, migrations
from adapter.store.dialect import Dialect, dialect_of
from adapter.store.errors import StoreFault
from adapter.store.ids import new_id
from adapter.store.keys import Keyring
from adapter.store.sealing import DataKeys
from adapter.store.session import Session
from adapter.store.times import utc_now
from adapter.store.transaction import Transaction
from adapter.store.writer import Job, Observer, Writer

T = TypeVar("T")
Clock = Callable[[], datetime]

READERS = 4


class Store:
    """An open store. Safe for threads and for one event loop or several."""

    def __init__(self, dialect: Dialect, keyring: Keyring, *, clock: Clock, worker: str) -> None:
        self._dialect = dialect
        self._clock = clock
        self.worker = worker
        self.keys = DataKeys(keyring)
        self._writer = Writer(dialect, self._write_session, connected=self.keys.forget)
        self._idle: deque[Any] = deque()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._closing = threading.Event()
        self._let_go: Callable[[], None] | None = None

    @classmethod
    def open(
        cls,
        url: str,
        keyring: Keyring,
        *,
        create: bool = True,
        upgrade: bool = True,
        clock: Clock = utc_now,
        worker: str | None = None,
    ) -> Store:
        """Open a store, bring its tables up to date, and prove that it is durable and ours.

        `url` is ``sqlite:///path`` or ``postgresql://…``. Without `create` it must exist; without
        `upgrade` it must be of this version, and stays as it is. `worker` names this process in
        claims; without it the process gets a name of its own.

        Raises:
            StoreError: the store cannot be opened, would not be durable, or is of a later version.
            ConfigError: the keyring is not the one that it was made with.
        """
        dialect = dialect_of(url)
        if not create:
            migrations.prove(dialect, any_version=upgrade)
        if upgrade:
            migrations.upgrade(dialect)
        store = cls(dialect, keyring, clock=clock, worker=worker or new_id())
        try:
            store._prove_key()
        except BaseException:
            store.close()
            raise
        return store

    @property
    def dialect(self) -> Dialect:
        """Where and what the database is; for the store's own commands."""
        return self._dialect

    @property
    def shared(self) -> bool:
        """True if several processes may deliver from it: their lanes are then run as jobs."""
        return self._dialect.shared

    def observe(self, observer: Observer) -> None:
        """Tell somebody of every commit; it must be quick, and must not raise."""
        self._writer.observer = observer

    def hold(self) -> None:
        """Be the process that delivers from this store, until it is closed.

        Raises:
            StoreError: another process is, and a second one may not be.
        """
        if self._let_go is None:
            self._let_go = self._dialect.hold()

    async def write(self, work: Callable[[Transaction], T]) -> T:
        """Run a work; its result once it is durable. Concurrent works share one commit.

        An exception of the work undoes this work alone, and is raised here.

        Raises:
            StoreError: the database could not; nothing of this work was kept.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._writer.submit(Job(work, future))
        return await future

    def write_now(self, work: Callable[[Transaction], T]) -> T:
        """As `write`, in this thread: for commands."""
        return self._writer.run_now(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run a work that only reads, in a worker thread, on one snapshot."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self.read_now, work)

    def read_now(self, work: Callable[[Transaction], T]) -> T:
        """As `read`, in this thread."""
        if self._closing.is_set():
            raise StoreFault("store.closed", "The store is closed.", fix="The service is stopping.")
        if failpoints.armed is not None:
            failpoints.step(work)
        cursor = self._take()
        try:
            return work(Transaction(self._session(cursor, writes=False)))
        finally:
            self._give_back(cursor)

    def scrub(self) -> None:
        """Leave no trace of what was destroyed in the files of the database.

        Raises:
            StoreFault: somebody's long reading keeps it there.
        """
        connection = self._dialect.connect(writer=True)
        try:
            for statement in self._dialect.scrub:
                said = connection.execute(statement)
                self._dialect.scrubbed(said.fetchone() if said.description else None)
        except self._dialect.errors as error:
            raise self._dialect.fault(error) from None
        finally:
            connection.close()

    def close(self) -> None:
        """Finish what waits, and let go of every connection. The store cannot be used after it."""
        self._closing.set()
        self._readers.shutdown(wait=True)
        while self._idle:
            self._idle.pop().connection.close()
        self._writer.close()
        if self._let_go is not None:
            self._let_go()
            self._let_go = None

    def _prove_key(self) -> None:
        if not self.read_now(lambda tx: tx.session.key_is_proven()):
            self.write_now(_begin)
            self.read_now(lambda tx: tx.session.key_is_proven())

    def _session(self, cursor: Any, *, writes: bool) -> Session:
        return Session(
            cursor, self._dialect, self.keys, self._clock, writes=writes, worker=self.worker
        )

    def _write_session(self, cursor: Any) -> Session:
        return self._session(cursor, writes=True)

    def _take(self) -> Any:
        """A cursor of an idle read connection, or of a new one, inside a transaction."""
        while True:
            try:
                cursor = self._idle.pop()
            except IndexError:
                cursor = self._dialect.connect(writer=False).cursor()
                fresh = True
            else:
                fresh = False
            try:
                cursor.execute(self._dialect.begin_read)
            except self._dialect.errors as error:
                cursor.connection.close()
                if fresh:
                    raise self._dialect.fault(error) from None
            else:
                return cursor

    def _give_back(self, cursor: Any) -> None:
        try:
            cursor.execute("ROLLBACK")
        except self._dialect.errors:
            cursor.connection.close()  # whatever broke it was raised by the work
            return
        if self._closing.is_set() or len(self._idle) >= 2 * READERS:
            cursor.connection.close()
        else:
            self._idle.append(cursor)


def _begin(tx: Transaction) -> None:
    """The first write to a new store."""
    if tx.session.leave_proof():
        for chain in (journal.CHAIN, audit.CHAIN):
            chain.begin(tx.session)
