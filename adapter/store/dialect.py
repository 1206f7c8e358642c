"""The two databases: everything that differs between SQLite and PostgreSQL stands here.

Queries are SQLAlchemy Core constructs, written once (`adapter.store.statement`). What is left is
how to connect, how a transaction begins, what an error means, and how a table becomes append-only.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, NullPool, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.engine.interfaces import Dialect as CompilerDialect

from adapter.plugin.messages import Check
from adapter.store.errors import RaceError, StoreError, StoreFault

BUSY_SECONDS = 5.0
_FULL = 2


class Dialect(ABC):
    """One kind of database, at one address."""

    name: ClassVar[str]
    begin_write: ClassVar[str]
    begin_read: ClassVar[str]
    begin_migration: ClassVar[Sequence[str]]
    scrub: ClassVar[Sequence[str]]

    def __init__(self, url: URL) -> None:
        self.url = url

    @property
    @abstractmethod
    def compiler(self) -> CompilerDialect:
        """What turns a Core construct into SQL with named parameters."""

    @abstractmethod
    def insert(self, table: Table) -> Any:
        """An insert that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""

    @abstractmethod
    def connect(self, *, writer: bool) -> Any:
        """A DBAPI connection in autocommit mode, proven durable; only `writer` may change anything.

        Raises:
            StoreFault: the database cannot be reached, or would not keep what it acknowledges.
        """

    @abstractmethod
    def exists(self) -> bool:
        """True if there is something to open; a server is taken to be there."""

    @abstractmethod
    def broken(self, connection: Any) -> bool:
        """True if this connection should not be used again after a fault."""

    @abstractmethod
    def fault(self, error: Exception) -> StoreError:
        """What an error of the driver means."""

    @abstractmethod
    def is_missing_table(self, error: Exception) -> bool:
        """True if the driver says that a table is not there."""

    @abstractmethod
    def integrity(self, cursor: Any) -> Check:
        """What the database itself can say about its soundness."""

    def after_load(self, table: Table) -> Sequence[str]:
        """What is to be run after rows were loaded with the numbers that they had elsewhere."""
        return ()

    @abstractmethod
    def append_only(self, table: str) -> Sequence[str]:
        """The statements after which `table` takes neither UPDATE nor DELETE."""

    @property
    @abstractmethod
    def errors(self) -> type[Exception]:
        """The base of the driver's errors."""

    def engine(self) -> Engine:
        """An SQLAlchemy engine for migrations, whose transactions begin at the first statement."""
        engine = create_engine(
            self.url, creator=lambda: self.connect(writer=True), poolclass=NullPool
        )

        def begin(connection: Connection) -> None:
            for statement in self.begin_migration:
                connection.exec_driver_sql(statement)

        event.listen(engine, "begin", begin)
        return engine


class Sqlite(Dialect):
    """SQLite in one file: WAL, and every commit on the disk before it returns."""

    name = "sqlite"
    begin_write = "BEGIN IMMEDIATE"
    begin_read = "BEGIN"
    begin_migration = ("BEGIN IMMEDIATE",)
    scrub = ("PRAGMA wal_checkpoint(TRUNCATE)",)
    errors = sqlite3.Error
    compiler = sqlite.dialect(paramstyle="named")

    def insert(self, table: Table) -> Any:
        """SQLite's insert."""
        return sqlite.insert(table)

    @property
    def path(self) -> Path:
        """The database file."""
        return Path(self.url.database or "")

    def exists(self) -> bool:
        """True if the file holds something."""
        return self.path.is_file() and self.path.stat().st_size > 0

    def connect(self, *, writer: bool) -> sqlite3.Connection:
        """A connection in WAL mode with ``synchronous=FULL``, both asserted."""
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
        return connection

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
        return Check(name="integrity", state="fail", detail=detail, fix=_LOOK_AT_DISK)

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


_FREE_SPACE = "Free some space on the disk; the service goes on by itself."
_LOOK_AT_DISK = "Check the disk and the file system; restore from a backup if it is damaged."
_SQLITE_FAULTS: dict[str, tuple[str, str, str]] = {
    "SQLITE_FULL": ("store.full", "The disk of the store is full.", _FREE_SPACE),
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
    "SQLITE_IOERR": ("store.io", "The disk of the store reports an error.", _LOOK_AT_DISK),
    "SQLITE_CANTOPEN": (
        "store.cannot-open",
        "The database file cannot be opened.",
        "Check that the folder exists and that the service may write there.",
    ),
    "SQLITE_CORRUPT": ("store.corrupt", "The database file is damaged.", _LOOK_AT_DISK),
    "SQLITE_NOTADB": (
        "store.not-a-store",
        "The file is not a database.",
        "Check the address of the store in the configuration.",
    ),
}


class Postgresql(Dialect):
    """PostgreSQL, for several processes on one store."""

    name = "postgresql"
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED"
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    begin_migration = ("BEGIN", "SELECT pg_advisory_xact_lock(7263947201)")
    scrub = ("VACUUM data_keys",)

    def __init__(self, url: URL) -> None:
        super().__init__(url)
        import psycopg
        from sqlalchemy.dialects.postgresql import psycopg as driver

        self._driver = psycopg
        self._compiler: CompilerDialect = driver.PGDialect_psycopg(  # type: ignore[no-untyped-call]
            paramstyle="pyformat"
        )

    @property
    def errors(self) -> type[Exception]:
        """The errors of psycopg."""
        return self._driver.Error

    @property
    def compiler(self) -> CompilerDialect:
        """SQLAlchemy's psycopg dialect, with named parameters."""
        return self._compiler

    def insert(self, table: Table) -> Any:
        """PostgreSQL's insert."""
        return postgresql.insert(table)

    def exists(self) -> bool:
        """True: only connecting shows it."""
        return True

    def connect(self, *, writer: bool) -> Any:
        """A connection to a server that flushes at every commit, asserted."""
        plain = self.url.set(drivername="postgresql").render_as_string(hide_password=False)
        try:
            connection = self._driver.connect(
                plain, autocommit=True, connect_timeout=5, application_name="adapter"
            )
            kept = connection.execute("SHOW synchronous_commit").fetchone()
            fsync = connection.execute("SHOW fsync").fetchone()
        except self._driver.Error as error:
            raise self.fault(error) from None
        if kept is None or fsync is None or kept[0] == "off" or fsync[0] == "off":
            connection.close()
            raise StoreFault(
                "store.not-durable",
                "PostgreSQL would not keep an acknowledged message through a power loss"
                " (fsync or synchronous_commit is off).",
                fix="Set fsync = on and synchronous_commit = on for this database.",
            )
        return connection

    def broken(self, connection: Any) -> bool:
        """True if the server is gone."""
        return bool(connection.closed or connection.broken)

    def fault(self, error: Exception) -> StoreError:
        """By SQLSTATE; an error without one means that the server did not answer."""
        state = getattr(error, "sqlstate", None) or ""
        if state in ("40001", "40P01"):
            return RaceError("store.race", "Two writers met.", fix="Try again.", detail=state)
        if state[:2] in ("22", "23"):
            return StoreError("store.constraint", "The store refused a row.", detail=state)
        if not state:  # libpq gives no SQLSTATE for a connection that was never made
            said = _REFUSED if "FATAL:" in str(error) else _DOWN
        else:
            faults = _POSTGRESQL_FAULTS.items()
            said = next((each for start, each in faults if state.startswith(start)), _FAILED)
        code, message, fix = said
        return StoreFault(code, message, fix=fix, detail=state or type(error).__name__)

    def integrity(self, cursor: Any) -> Check:
        """Whether the server checks pages when it reads them; the other checks read them all."""
        row = cursor.execute("SHOW data_checksums").fetchone()
        if row is not None and row[0] == "on":
            return Check(name="integrity", state="ok", detail="the server checks every page")
        return Check(
            name="integrity",
            state="warn",
            detail="the server does not check its pages",
            fix="Turn page checksums on with pg_checksums --enable while the server is stopped.",
        )

    def after_load(self, table: Table) -> Sequence[str]:
        """Let the numbers that the server gives go on after the highest that is there."""
        column = table.c.get("sequence")
        if column is None or column.identity is None:
            return ()
        name = table.name
        return (
            f"SELECT setval(pg_get_serial_sequence('{name}', 'sequence'),"  # noqa: S608 - our own name
            f" (SELECT coalesce(max(sequence), 0) + 1 FROM {name}), false)",
        )

    def is_missing_table(self, error: Exception) -> bool:
        """By SQLSTATE 42P01."""
        return getattr(error, "sqlstate", None) == "42P01"

    def append_only(self, table: str) -> Sequence[str]:
        """Triggers that refuse."""
        return [
            f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS $$"
            f" BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}"
            f" FOR EACH ROW EXECUTE FUNCTION {table}_append_only()",
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()",
        ]


_DOWN = (
    "store.down",
    "The database server does not answer.",
    "Start PostgreSQL, or check the address of the store; the service goes on by itself.",
)
_REFUSED = (
    "store.refused",
    "The database server refused the connection.",
    "Check user, password and database in the address of the store; create the database if needed.",
)
_FAILED = ("store.failed", "PostgreSQL could not do it.", "")
_POSTGRESQL_FAULTS: dict[str, tuple[str, str, str]] = {
    "53100": ("store.full", "The disk of the database server is full.", _FREE_SPACE),
    "53": (
        "store.busy",
        "The database server takes no more.",
        "Raise max_connections, or run fewer workers.",
    ),
    "08": _DOWN,
    "57P": _DOWN,
    "25006": (
        "store.read-only",
        "The database takes no writes.",
        "Connect to the primary server, not to a copy.",
    ),
    "28": _REFUSED,
    "3D": _REFUSED,
    "42501": (
        "store.refused",
        "The account may not do that in this database.",
        "Make the account the owner of its database.",
    ),
    "58": ("store.io", "The database server reports a disk error.", _LOOK_AT_DISK),
    "XX": ("store.corrupt", "The database server reports damage.", _LOOK_AT_DISK),
}


def dialect_of(address: str) -> Dialect:
    """The dialect of a store's address: ``sqlite:///path/file.db`` or ``postgresql://host/name``.

    Raises:
        StoreError: another kind of database, or an address without a file.
    """
    try:
        url = make_url(address)
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "sqlalchemy":
            raise
        raise _address() from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite" and url.database and url.database != ":memory:":
        return Sqlite(url)
    if kind == "postgresql":
        return Postgresql(url)
    raise _address()


def _address() -> StoreError:
    return StoreError(
        "store.address",
        "The address of the store is not one that the adapter knows.",
        fix="Write sqlite:///path/to/file.db or postgresql://user@host/database.",
    )
