"""A query, written once as a SQLAlchemy Core construct and compiled once for each database.

SQLAlchemy's own execution costs many times what SQLite needs for the statement itself, so the store
takes SQL text and parameters from the compiler and gives them to the driver's cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from adapter.store.dialect import Dialect

Construct = Any
Build = Callable[[Dialect], Construct]


class Statement:
    """A construct with named parameters.

    `construct` is a Core construct, or a function that makes it from a dialect where an insert must
    say what happens on a conflict.
    """

    __slots__ = ("_build", "_compiled")

    def __init__(self, construct: Construct | Build) -> None:
        self._build: Build = construct if callable(construct) else lambda _: construct
        self._compiled: dict[str, tuple[str, dict[str, Any]]] = {}

    def on(self, dialect: Dialect) -> tuple[str, dict[str, Any]]:
        """The SQL for this database, and the constants among its parameters."""
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled = self._build(dialect).compile(dialect=dialect.compiler)
            names = compiled.bind_names
            constants = {names[b]: b.effective_value for b in names if not b.required}
            found = self._compiled[dialect.name] = (str(compiled), constants)
        return found


def insert_all(table: sa.Table, *, without: Iterable[str] = ()) -> Statement:
    """An insert of every column of a table except those named; parameters are the column names."""
    left_out = set(without)
    values: dict[str, Any] = {
        c.name: sa.bindparam(c.name) for c in table.columns if c.name not in left_out
    }
    return Statement(sa.insert(table).inline().values(values))


def padded(keys: list[str], size: int) -> dict[str, str]:
    """Parameters ``key_0 …`` for a statement of `size` places; the last key fills what is left."""
    last = keys[-1]
    return {f"key_{i}": keys[i] if i < len(keys) else last for i in range(size)}


def places(size: int) -> list[sa.BindParameter[str]]:
    """The parameters that `padded` fills."""
    return [sa.bindparam(f"key_{i}", type_=sa.Text) for i in range(size)]


def one_of(column: sa.ColumnElement[str], values: Iterable[str]) -> sa.ColumnElement[bool]:
    """True where the column has one of these constants; unlike ``IN`` it is compiled only once."""
    return sa.or_(*(column == value for value in values))
