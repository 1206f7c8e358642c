"""What this machine could do at best on the same bytes: the limits that every row is held against.

CPU: `orjson.loads` and `orjson.dumps` of the output Bundle. NORMAL and FULL: CPU, and one commit of
two inserts (the Bundle, the message) into SQLite in WAL mode with that `synchronous`.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import orjson


def typical(work: Callable[[int], object], times: int) -> float:
    """Seconds of a typical call: the median of `times` calls, so that a pause of the machine in
    one of them does not count for all."""
    clock = time.perf_counter
    seconds = []
    for number in range(times):
        started = clock()
        work(number)
        seconds.append(clock() - started)
    return statistics.median(seconds)


class Limits:
    """The three limits for one Bundle and the message that it came from."""

    def __init__(self, bundle: bytes, message: bytes, folder: Path) -> None:
        self._bundle = bundle
        self._message = message
        self._connections = {
            name: self._database(folder / f"limit-{name}.sqlite3", name)
            for name in ("NORMAL", "FULL")
        }
        self._number = 0

    def typical(self, name: str) -> float:
        """Seconds of the limit of this name, as the machine is now."""
        return self.cpu(200) if name == "CPU" else self.commit(name, 30)

    def cpu(self, times: int) -> float:
        """Seconds of one loads and dumps."""
        bundle = self._bundle
        return typical(lambda _: orjson.dumps(orjson.loads(bundle)), times)

    def commit(self, synchronous: str, times: int) -> float:
        """Seconds of one loads, dumps and commit."""
        connection = self._connections[synchronous]

        def one(_: int) -> None:
            self._number += 1
            content = orjson.dumps(orjson.loads(self._bundle))
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO bundles VALUES (?, ?)", (self._number, content))
            connection.execute("INSERT INTO messages VALUES (?, ?)", (self._number, self._message))
            connection.execute("COMMIT")

        return typical(one, times)

    def close(self) -> None:
        """Close the databases."""
        for connection in self._connections.values():
            connection.close()

    @staticmethod
    def _database(file: Path, synchronous: str) -> sqlite3.Connection:
        connection = sqlite3.connect(file, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        for table in ("bundles", "messages"):
            connection.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, content BLOB)")
        return connection
