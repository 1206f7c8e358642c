"""The statements of a step, taken down while it runs, and run again on a twin of its store.

What the twin takes for them, with their commit, is the least that any program could take that makes
the same rows: nothing is read, mapped, decided, checked, sealed or linked any more.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapter.store.dialect.sqlite import Sqlite
from adapter.store.store import Store

COMMIT = "COMMIT"
Line = tuple[str, Any, bool]
"""A statement, its values, and whether it runs once for each of several sets of values."""


class Tape:
    """What one store's writer runs, in order."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    @contextmanager
    def recording(self, store: Store) -> Iterator[None]:
        """Take down every statement of the store's writer."""
        writer, lines = store._writer, self.lines

        class Recorder(sqlite3.Cursor):
            def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
                lines.append((sql, values, False))
                return super().execute(sql, values)

            def executemany(self, sql: str, values: Any) -> sqlite3.Cursor:
                lines.append((sql, values, True))
                return super().executemany(sql, values)

        store.write_now(lambda tx: tx.session.leave_sign_of_life())  # it has its connection by then
        kept, writer._cursor = writer._cursor, Recorder(writer._connection)
        try:
            yield
        finally:
            writer._cursor = kept

    def steps(self) -> list[list[Line]]:
        """The lines of each transaction that was committed, in order."""
        steps: list[list[Line]] = [[]]
        for line in self.lines:
            steps[-1].append(line)
            if line[0] == COMMIT:
                steps.append([])
        return steps[:-1]


def twin(store: Store, file: Path) -> sqlite3.Connection:
    """A copy of a store as it stands, opened as its writer opens it."""
    file.unlink(missing_ok=True)
    dialect = store.dialect
    assert isinstance(dialect, Sqlite)
    original = dialect.connect(writer=True)
    copy = sqlite3.connect(file)
    original.backup(copy)
    copy.close()
    original.close()
    made = type(dialect)(dialect.url.set(database=str(file))).connect(writer=True)
    assert isinstance(made, sqlite3.Connection)
    return made


def replayed(cursor: sqlite3.Cursor, step: list[Line]) -> float:
    """Run one step's statements; its seconds."""
    started = time.perf_counter()
    for sql, values, many in step:
        if many:
            cursor.executemany(sql, values)
            continue
        cursor.execute(sql, values)
        if cursor.description:
            cursor.fetchall()
    return time.perf_counter() - started
