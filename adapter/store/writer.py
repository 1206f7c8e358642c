"""The one writer: works of many callers share a transaction and its commit, each undone alone.

Works that waited together run in one plain transaction, as one that is alone does. Only where one
of them fails is the batch undone and run again with a savepoint around each, so that the one that
fails is undone alone: failures are rare, and savepoints would cost every work two statements.
Nobody is told before the commit.
"""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from adapter.store import audit, failpoints, journal
from adapter.store.chain import write_both
from adapter.store.dialect import Dialect
from adapter.store.errors import RaceError, StoreError, StoreFault
from adapter.store.failpoints import point
from adapter.store.session import Parameters, Session
from adapter.store.transaction import Transaction

T = TypeVar("T")
Work = Callable[[Transaction], T]
Observer = Callable[[float, int, Sequence[Parameters]], None]
"""Called after each commit: its seconds, how many works shared it, and its lines of the journal."""

_MOST = 128
_TRIES = 20
_SWITCH_SECONDS = 0.0005
_BEFORE_BEGIN = point("store.before-begin")
_BEFORE_COMMIT = point("store.before-commit")
_AFTER_COMMIT = point("store.after-commit")


class _SpoiltError(Exception):
    """A work failed in a batch without savepoints."""


class Job:
    """A work, and what came of it: `result`, or `error`. `future` is whoever waits, in its loop."""

    __slots__ = ("context", "error", "future", "result", "work")

    def __init__(self, work: Work[Any], future: asyncio.Future[Any] | None = None) -> None:
        self.work = work
        self.context = (
            copy_context()
        )  # who asks, for the audit, is known in the writer's thread too
        self.future = future
        self.result: Any = None
        self.error: BaseException | None = None

    def settle(self) -> None:
        """Tell who waits; called in their loop."""
        if self.future is None or self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """Owns the write connection. Batches run in its thread; `run_now` in the caller's."""

    def __init__(
        self,
        dialect: Dialect,
        make_session: Callable[[Any], Session],
        *,
        connected: Callable[[], None],
    ) -> None:
        self._dialect = dialect
        self._make_session = make_session
        self._connected = connected
        self._gate = threading.Lock()  # nothing is queued after the end of the queue
        self._lock = threading.Lock()  # who holds it uses the connection
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._connection: Any = None
        self._cursor: Any = None
        self._thread: threading.Thread | None = None
        self._closed = False
        self.observer: Observer | None = None

    def submit(self, job: Job) -> None:
        """Run a job in the writer's thread, with whatever else waits; then settle its future.

        Raises:
            StoreFault: the store is closed.
        """
        with self._gate:
            if self._closed:
                raise _closed()
            if self._thread is None:
                self._thread = self._start()
            self._queue.put(job)

    def run_now(self, work: Work[T]) -> T:
        """Run a work in this thread, and return when it is durable."""
        job = Job(work)
        with self._lock:
            if self._closed:
                raise _closed()
            self._run([job])
        if job.error is not None:
            raise job.error
        result: T = job.result
        return result

    def close(self) -> None:
        """Finish what waits, then let go of the connection."""
        with self._gate:
            self._closed = True
            self._queue.put(None)
            thread = self._thread
        if thread is not None:
            thread.join()
        with self._lock:
            self._drop()

    def _start(self) -> threading.Thread:
        # SQLite lets go of the interpreter at every statement. Beside a busy event loop, each would
        # wait the default 5 ms to get it back, and a message takes dozens.
        sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_SECONDS))
        thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        thread.start()
        return thread

    def _serve(self) -> None:
        while (job := self._queue.get()) is not None:
            batch, last = [job], False
            while len(batch) < _MOST:
                try:
                    more = self._queue.get_nowait()
                except Empty:
                    break
                if more is None:
                    last = True
                    break
                batch.append(more)
            with self._lock:
                self._run(batch)
            _AFTER_COMMIT()
            _settle(batch)
            if last:
                return

    def _run(self, jobs: Sequence[Job]) -> None:
        """Run a batch; then, one by one, those that another writer was faster than."""
        again = self._attempt(jobs)
        for job in again:
            for tried in range(1, _TRIES):
                if not self._attempt([job]):
                    break
                time.sleep(random.uniform(0, 0.001 * tried))  # noqa: S311 - so as not to meet again

    def _attempt(self, jobs: Sequence[Job]) -> list[Job]:
        """One transaction; the jobs that should be run again, their errors set meanwhile."""
        for job in jobs:
            job.result = job.error = None
        try:
            with suppress(_SpoiltError):
                return self._transact(jobs, apart=False)
            self._execute(self._cursor, "ROLLBACK")
            return self._transact(jobs, apart=True)
        except RaceError as error:
            self._rollback()
            return [job for job in jobs if self._fail(job, error)]
        except StoreError as error:
            self._rollback()
            self._drop()
            for job in jobs:
                self._fail(job, error)
            return []
        except BaseException as error:  # noqa: BLE001 - it is raised where the callers wait
            self._rollback()
            for job in jobs:
                self._fail(job, error)
            return []

    @staticmethod
    def _fail(job: Job, error: BaseException) -> bool:
        """Give a job the error of its batch, unless it has one of its own; True if it had none."""
        if job.error is not None and not isinstance(job.error, RaceError):
            return False
        job.result, job.error = None, error
        return True

    def _transact(self, jobs: Sequence[Job], *, apart: bool) -> list[Job]:
        """Run, link and commit; the jobs that another writer was faster than.

        With `apart` each has a savepoint, and those that fail are left out.

        Raises:
            _SpoiltError: one of several failed that were not apart; the transaction is open.
        """
        _BEFORE_BEGIN()
        if failpoints.armed is not None:
            failpoints.step(jobs[0].work)
        cursor = self._begin()
        done: list[Transaction] = []
        again: list[Job] = []
        for job in jobs:
            transaction = Transaction(self._make_session(cursor))
            if failpoints.armed is not None and len(jobs) > 1:
                failpoints.step(job.work)
            if apart:
                self._execute(cursor, "SAVEPOINT work")
            try:
                job.result = job.context.run(job.work, transaction)
                transaction.end()
            except StoreFault:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this caller's answer
                if len(jobs) > 1 and not apart:
                    raise _SpoiltError from None
                job.error = error
                if isinstance(error, RaceError):
                    again.append(job)
                if apart:
                    self._execute(cursor, "ROLLBACK TO SAVEPOINT work")
            else:
                done.append(transaction)
            if apart:
                self._execute(cursor, "RELEASE SAVEPOINT work")
        if not done:
            self._execute(cursor, "ROLLBACK")
            return again
        told = self._link(done)
        self._dialect.in_place()
        _BEFORE_COMMIT()
        started = time.perf_counter()
        self._execute(cursor, "COMMIT")
        if self.observer is not None:
            self.observer(time.perf_counter() - started, len(done), told)
        for transaction in done:
            transaction.session.committed()
        return again

    def _link(self, done: Sequence[Transaction]) -> Sequence[Parameters]:
        """Chain the journal and audit entries of all works, always in this order; the journal's."""
        session = done[0].session
        told = [entry for each in done for entry in each.journal.take()]
        audited = [entry for each in done for entry in each.audit.take()]
        write_both(session, journal.CHAIN, told, audit.CHAIN, audited)
        return told

    def _begin(self) -> Any:
        if self._connection is None:
            self._connection = self._dialect.connect(writer=True)
            self._connected()  # it may be an older state of the database, without our newest keys
            self._cursor = self._connection.cursor()
        self._execute(self._cursor, self._dialect.begin_write)
        return self._cursor

    def _execute(self, cursor: Any, sql: str) -> None:
        if failpoints.armed is not None:
            failpoints.statement(sql)
        try:
            cursor.execute(sql)
        except self._dialect.errors as error:
            raise self._dialect.fault(error) from None

    def _rollback(self) -> None:
        if self._connection is None:
            return
        try:
            self._cursor.execute("ROLLBACK")
        except self._dialect.errors:
            self._drop()  # a database that rolled back by itself, or is gone

    def _drop(self) -> None:
        """Close the connection; the next batch opens a new one."""
        connection, self._connection, self._cursor = self._connection, None, None
        if connection is not None:
            try:
                connection.close()
            except self._dialect.errors:
                return  # it is gone either way


def _settle(batch: Sequence[Job]) -> None:
    """Wake each loop once, however many of its callers are served."""
    loops: dict[asyncio.AbstractEventLoop, list[Job]] = {}
    for job in batch:
        if job.future is not None:
            loops.setdefault(job.future.get_loop(), []).append(job)
    for loop, jobs in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle_all, jobs)


def _settle_all(jobs: Sequence[Job]) -> None:
    for job in jobs:
        job.settle()


def _closed() -> StoreFault:
    return StoreFault("store.closed", "The store is closed.", fix="The service is stopping.")
