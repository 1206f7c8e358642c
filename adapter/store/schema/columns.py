"""The kinds of columns that tables are made of; each may be told to be the key, or to be empty."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

metadata = sa.MetaData()
"""Every table of the store, once `adapter.store.schema` is imported."""

_Sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def sequence() -> sa.Column[int]:
    """The key ``sequence``, which the database counts."""
    return sa.Column("sequence", _Sequence, sa.Identity(), primary_key=True)


def text(name: str, *, key: bool = False, null: bool = False) -> sa.Column[str]:
    """Words that are no PHI."""
    return sa.Column(name, sa.Text, primary_key=key, nullable=null)


def number(name: str, *, key: bool = False, null: bool = False) -> sa.Column[int]:
    """A whole number of 64 bits; a time is one, in microseconds."""
    kind = _Sequence if key else sa.BigInteger
    return sa.Column(name, kind, primary_key=key, nullable=null, autoincrement=False)


def octets(name: str, *, key: bool = False, null: bool = False) -> sa.Column[bytes]:
    """What is encrypted, or a hash."""
    return sa.Column(name, sa.LargeBinary, primary_key=key, nullable=null)


def flag(name: str) -> sa.Column[bool]:
    """Yes or no."""
    return sa.Column(name, sa.Boolean, nullable=False)


def where(condition: str) -> dict[str, Any]:
    """What an index is told that holds only some rows."""
    clause = sa.text(condition)
    return {"sqlite_where": clause, "postgresql_where": clause}
