"""What the rest of the store asks of a database."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from sqlalchemy import Connection, Engine, NullPool, Table, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import Dialect as CompilerDialect

from adapter.plugin.messages import Check
from adapter.store.errors import StoreError

FREE_SPACE = "Free some space on the disk; the service goes on by itself."
LOOK_AT_DISK = "Check the disk and the file system; restore from a backup if it is damaged."


def _nothing() -> None:
    """Nothing was held."""


class Dialect(ABC):
    """One kind of database, at one address."""

    name: ClassVar[str]
    begin_write: ClassVar[str]
    begin_read: ClassVar[str]
    begin_migration: ClassVar[Sequence[str]]
    scrub: ClassVar[Sequence[str]]
    shared: ClassVar[bool]
    """True if several processes may deliver from one store."""

    def __init__(self, url: URL) -> None:
        self.url = url

    @property
    @abstractmethod
    def compiler(self) -> CompilerDialect:
        """What turns a Core construct into SQL with positional parameters."""

    @abstractmethod
    def insert(self, table: Table) -> Any:
        """An insert that knows ``on_conflict_do_nothing`` and ``on_conflict_do_update``."""

    @abstractmethod
    def connect(self, *, writer: bool) -> Any:
        """A DBAPI connection in autocommit mode, proven durable; only `writer` may change anything.

        Raises:
            StoreFault: the database cannot be reached, or would not keep what it acknowledges.
        """

    def in_place(self) -> None:  # noqa: B027 - a server sees to that itself
        """Prove that what is written now goes where the next start will look for it.

        Raises:
            StoreFault: the database was taken away or replaced under its connections.
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

    def scrubbed(self, said: Any) -> None:  # noqa: B027 - a server says nothing
        """Look at what the last statement of `scrub` answered.

        Raises:
            StoreFault: it could not be done.
        """

    def after_load(self, table: Table) -> Sequence[str]:
        """What is to be run after rows were loaded with the numbers that they had elsewhere."""
        return ()

    def hold(self) -> Callable[[], None]:
        """Be the one process that delivers from this store; call what is returned to let go.

        Raises:
            StoreError: another process delivers from it, and a second one may not.
        """
        return _nothing

    def job_tables(self) -> Sequence[str]:
        """The statements that make the queue of jobs that several processes share."""
        return ()

    def job_indexes(self) -> Sequence[str]:
        """The statements that keep the queue of jobs quick when it is long."""
        return ()

    def jobs_by_site(self) -> Sequence[str]:
        """The statements after which a site's next job is quickly found, and quietly announced."""
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
