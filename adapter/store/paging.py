"""Every row of a table, a page at a time in the order of its key, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import sqlalchemy as sa

from adapter.store.session import Row, Session
from adapter.store.statement import Statement

PAGE = 500


def pages(session: Session, table: sa.Table) -> Iterator[list[Row]]:
    """Pages of up to `PAGE` rows; each begins after the last row of the one before."""
    first, following, positions = _statements(table)
    rows = session.rows(first, {})
    while rows:
        yield rows
        if len(rows) < PAGE:
            return
        last = rows[-1]
        after = {f"after_{n}": last[position] for n, position in enumerate(positions)}
        rows = session.rows(following, after)


@cache
def _statements(table: sa.Table) -> tuple[Statement, Statement, tuple[int, ...]]:
    key = list(table.primary_key.columns)
    every = sa.select(table).order_by(*key).limit(PAGE)
    after = [sa.bindparam(f"after_{n}", type_=column.type) for n, column in enumerate(key)]
    following = every.where(
        key[0] > after[0] if len(key) == 1 else sa.tuple_(*key) > sa.tuple_(*after)
    )
    names = list(table.c.keys())
    return Statement(every), Statement(following), tuple(names.index(c.name) for c in key)
