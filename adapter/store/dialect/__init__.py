"""The two databases: everything that differs between SQLite and PostgreSQL stands in this folder.

Queries are SQLAlchemy Core constructs, written once (`adapter.store.statement`). What is left is
how to connect, how a transaction begins, what an error means, and how a table becomes append-only.
"""

from __future__ import annotations

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from adapter.store.dialect.interface import Dialect
from adapter.store.errors import StoreError

__all__ = ["Dialect", "dialect_of"]


def dialect_of(address: str) -> Dialect:
    """The dialect of a store's address: ``sqlite:///path/file.db`` or ``postgresql://host/name``.

    Raises:
        StoreError: another kind of database, or an address without a file.
    """
    try:
        url = make_url(address)
    except ArgumentError:
        raise _address() from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite" and url.database and url.database != ":memory:":
        from adapter.store.dialect.sqlite import Sqlite

        return Sqlite(url)
    if kind == "postgresql":
        try:
            from adapter.store.dialect.postgresql import Postgresql
        except ImportError:
            raise StoreError(
                "store.no-driver",
                "The driver for PostgreSQL is not installed.",
                fix="Install social-prescribing-adapter[postgresql].",
            ) from None

        return Postgresql(url)
    raise _address()


def _address() -> StoreError:
    return StoreError(
        "store.address",
        "The address of the store is not one that the adapter knows.",
        fix="Write sqlite:///path/to/file.db or postgresql://user@host/database.",
    )
