"""SQLite: one file, one process that writes much, others that write a little."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Table
from sqlalchemy.dialects import sqlite

from adapter.plugin.messages import Check
from adapter.store.dialect.interface import FREE_SPACE, LOOK_AT_DISK, Dialect
from adapter.store.errors import StoreError, StoreFault

BUSY_SECONDS = 5.0
_FULL = 2


class Sqlite(Dialect):
    """SQLite in one file: WAL, and every commit on the disk before it returns."""

    name = "sqlite"
    begin_write = "BEGIN IMMEDIATE"
    begin_read = "BEGIN"
    begin_migration = ("BEGIN IMMEDIATE",)
    scrub = ("PRAGMA wal_checkpoint(TRUNCATE)",)
    shared = False
    errors = sqlite3.Error
    compiler = sqlite.dialect(paramstyle="qmark")

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        self._file: tuple[int, int] | None = None  # device and inode of the file that is open

    def insert(self, table: Table) -> Any:
        """SQLite's insert."""
        return sqlite.insert(table)

    @property
    def path(self) -> Path:
        """The database file."""
        return Path(self.url.database or "")

    def exists(self) -> bool:
        """True if the file holds a table: whoever was killed while they were made left none.

        A file that cannot be looked into is there as well; opening it says what is wrong.
        """
        if not self.path.is_file() or not self.path.stat().st_size:
            return False
        try:
            with closing(self.connect(writer=False)) as connection:
                found = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
        except (StoreFault, sqlite3.Error):
            return True
        return found is not None

    def connect(self, *, writer: bool) -> sqlite3.Connection:
        """A connection in WAL mode with ``synchronous=FULL``, both asserted."""
        self.in_place()
        self._make()
        try:
            connection = sqlite3.connect(
                self.path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=512,
            )
        except sqlite3.Error as error:
            raise self.fault(error) from None
        try:
            self._prepare(connection, writer=writer)
        except sqlite3.Error as error:
            connection.close()
            raise self.fault(error) from None
        except StoreFault:
            connection.close()
            raise
        self._file = self._file or self._found()
        return connection

    def in_place(self) -> None:
        """By the file's inode: SQLite goes on writing into a file that has no name any more.

        What is put in its place is another store, of which this process knows nothing: it is not
        used before the next start.
        """
        if self._file is not None and self._found() != self._file:
            raise StoreFault(
                "store.replaced",
                "The database file was taken away or replaced while it was in use; nothing more is"
                " written.",
                fix="Put it back, or start the service again to use the file that is there now.",
            )

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def scrubbed(self, said: Any) -> None:
        """The checkpoint says whether somebody's old snapshot kept it from its end."""
        if said is not None and said[0]:
            raise StoreFault(
                "store.not-scrubbed",
                "It is done, but the files of the database still hold what was destroyed: somebody"
                " has been reading in it for long, for example a backup.",
                fix="When that has ended, stop the service and start it again: that clears them.",
            )

    def _make(self) -> None:
        """A new file is its owner's alone; SQLite gives the files beside it the same rights."""
        if not self.path.exists():
            with suppress(OSError):  # SQLite says what is wrong
                os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))

    def _prepare(self, connection: sqlite3.Connection, *, writer: bool) -> None:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        connection.execute("PRAGMA synchronous=FULL")
        kept = connection.execute("PRAGMA synchronous").fetchone()[0]
        if mode != "wal" or kept < _FULL:
            raise StoreFault(
                "store.not-durable",
                f"SQLite would not keep an acknowledged message through a power loss"
                f" (journal_mode={mode}, synchronous={kept}).",
                fix="Put the database on a local disk, not on a network share, and use a file.",
            )
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("PRAGMA cache_size=-16000")
        if not writer:
            connection.execute("PRAGMA query_only=ON")

    def broken(self, connection: Any) -> bool:
        """True: a new connection costs little, and an old one may be stuck."""
        return True

    def hold(self) -> Callable[[], None]:
        """A lock on a file beside the store; the system lets go of it when the process dies."""
        file = self.path.with_name(f"{self.path.name}.lock")
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreFault(
                "store.cannot-open",
                f"The lock beside the database cannot be opened ({error.strerror}).",
                fix="Check that the folder exists and that the service may write there.",
            ) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise StoreError(
                "store.in-use",
                "Another service delivers from this SQLite store.",
                fix="End the other `adapter serve`, or move to PostgreSQL to run several.",
            ) from None
        return lambda: os.close(descriptor)

    def fault(self, error: Exception) -> StoreError:
        """By the extended result code of SQLite."""
        name = getattr(error, "sqlite_errorname", "") or ""
        for start, (code, message, fix) in _SQLITE_FAULTS.items():
            if name.startswith(start):
                return StoreFault(code, message, fix=fix, detail=name)
        if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
            return StoreError("store.constraint", "The store refused a row.", detail=name)
        return StoreFault("store.failed", "SQLite could not do it.", detail=f"{name} {error}")

    def integrity(self, cursor: Any) -> Check:
        """Every page, index and constraint, as SQLite checks them."""
        found = [row[0] for row in cursor.execute("PRAGMA integrity_check").fetchall()]
        if found == ["ok"]:
            return Check(name="integrity", state="ok", detail="every page and index")
        detail = f"SQLite found damage in {len(found)} places"
        return Check(name="integrity", state="fail", detail=detail, fix=LOOK_AT_DISK)

    def is_missing_table(self, error: Exception) -> bool:
        """By the message: SQLite has no code for it."""
        return "no such table" in str(error)

    def append_only(self, table: str) -> Sequence[str]:
        """Triggers that refuse."""
        return [
            f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ]


_SQLITE_FAULTS: dict[str, tuple[str, str, str]] = {
    "SQLITE_FULL": ("store.full", "The disk of the store is full.", FREE_SPACE),
    "SQLITE_BUSY": (
        "store.locked",
        "Another program holds the store.",
        "Close the other program that has the database file open.",
    ),
    "SQLITE_LOCKED": (
        "store.locked",
        "Another program holds the store.",
        "Close the other program that has the database file open.",
    ),
    "SQLITE_READONLY": (
        "store.read-only",
        "The store cannot be written.",
        "Give the service write access to the database file and its folder.",
    ),
    "SQLITE_IOERR": ("store.io", "The disk of the store reports an error.", LOOK_AT_DISK),
    "SQLITE_CANTOPEN": (
        "store.cannot-open",
        "The database file cannot be opened.",
        "Check that the folder exists and that the service may write there.",
    ),
    "SQLITE_CORRUPT": ("store.corrupt", "The database file is damaged.", LOOK_AT_DISK),
    "SQLITE_NOTADB": (
        "store.not-a-store",
        "The file is not a database.",
        "Check the address of the store in the configuration.",
    ),
}
