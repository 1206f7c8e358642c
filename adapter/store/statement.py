"""A query, written once as a SQLAlchemy Core construct and compiled once for each database.

SQLAlchemy's own execution costs many times what SQLite needs for the statement itself, so the store
takes SQL text and parameters from the compiler and gives them to the driver's cursor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from sys import intern
from typing import Any

import sqlalchemy as sa

from adapter.store.dialect import Dialect

Construct = Any
Build = Callable[[Dialect], Construct]


class Compiled:
    """A statement for one database: its SQL, and how named parameters become positions."""

    __slots__ = ("_constants", "_take", "sql")

    def __init__(self, sql: str, names: Sequence[str], constants: Mapping[str, Any]) -> None:
        self.sql = sql
        self._constants = dict(constants)
        self._take = _taking(names)

    def values(self, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """The values in the order of their places."""
        if self._constants:
            return self._take({**self._constants, **parameters})
        return self._take(parameters)


class Statement:
    """A construct with named parameters.

    `construct` is a Core construct, or a function that makes it from a dialect where an insert must
    say what happens on a conflict.
    """

    __slots__ = ("_build", "_compiled")

    def __init__(self, construct: Construct | Build) -> None:
        self._build: Build = construct if callable(construct) else lambda _: construct
        self._compiled: dict[str, Compiled] = {}

    def on(self, dialect: Dialect) -> Compiled:
        """The statement as this database takes it; compiled at the first use."""
        found = self._compiled.get(dialect.name)
        if found is None:
            compiled = self._build(dialect).compile(dialect=dialect.compiler)
            names = compiled.bind_names
            constants = {names[b]: b.effective_value for b in names if not b.required}
            made = Compiled(str(compiled), compiled.positiontup or (), constants)
            found = self._compiled[dialect.name] = made
        return found


def _taking(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    names = [intern(str(name)) for name in names]  # found at a glance among others' keys
    if not names:
        return lambda _: ()
    if len(names) == 1:
        only = names[0]
        return lambda parameters: (parameters[only],)
    return itemgetter(*names)


def insert_all(table: sa.Table, *, without: Iterable[str] = ()) -> Statement:
    """An insert of every column of a table except those named; parameters are the column names."""
    left_out = set(without)
    values: dict[str, Any] = {
        c.name: sa.bindparam(c.name) for c in table.columns if c.name not in left_out
    }
    return Statement(sa.insert(table).inline().values(values))


def insert_new(table: sa.Table) -> Statement:
    """As `insert_all`, but what has the same key stays as it is."""
    values: dict[str, Any] = {c.name: sa.bindparam(c.name) for c in table.columns}
    return Statement(
        lambda dialect: dialect.insert(table).inline().values(values).on_conflict_do_nothing()
    )


def padded(keys: Sequence[str], size: int) -> dict[str, str]:
    """Parameters ``key_0 …`` for a statement of `size` places; the last key fills what is left."""
    last = keys[-1]
    return {f"key_{i}": keys[i] if i < len(keys) else last for i in range(size)}


def places(size: int) -> list[sa.BindParameter[str]]:
    """The parameters that `padded` fills."""
    return [sa.bindparam(f"key_{i}", type_=sa.Text) for i in range(size)]


def one_of(column: sa.ColumnElement[str], values: Iterable[str]) -> sa.ColumnElement[bool]:
    """True where the column has one of these constants; unlike ``IN`` it is compiled only once."""
    return sa.or_(*(column == value for value in values))
