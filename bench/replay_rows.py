"""Rows on durable steps, beside the statements and commits that they consist of (ADR 0010).

FULL and the echo say what a machine could do that kept two rows, or none. These rows say what our
own code adds to the rows that a step keeps: its statements are taken down and run again, bare.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import statistics
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

from operations_rows import END, START, TOGETHER, Line, Status, connected
from row import Row
from rows import Road
from tape import Tape, replayed, twin

SAME = "its SQL bare"


def rows(road: Road, line: Line) -> list[Row]:
    """All rows of this file."""
    beside = Beside(road)
    groups = Groups(road, line)
    return [
        Row("REF^I12 to Bundle, durable, beside its statements", SAME, 3, beside.referral, 60),
        Row("status to Task update, durable, beside its statements", SAME, 3, beside.status, 60),
        Row(
            "MLLP, 32 connections, beside an echo that commits the same rows in groups",
            "its throughput", 0.5, groups.together, 640, True,
        ),
    ]  # fmt: skip


class Beside:
    """A step of the service and its bare statements on a twin of the store, in turn."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._status = Status(road)

    def referral(self, times: int) -> float:
        """The ratio of a new referral, one at a time."""
        rows = self._road.received(times)
        return self._ratio([lambda row=row: self._road.process(row) for row in rows])

    def status(self, times: int) -> float:
        """The ratio of a status."""
        moves = self._road.loop.run_until_complete(self._status.moves(times))
        return self._ratio([lambda move=move: self._status.act(move) for move in moves])

    def _ratio(self, steps: Sequence[Callable[[], Awaitable[None]]]) -> float:
        store, tape = self._road.service.store, Tape()
        ours, bare = [], []
        with closing(twin(store, self._road.folder / "twin.sqlite3")) as copy:
            cursor = copy.cursor()
            with tape.recording(store):
                for step in steps:
                    tape.lines.clear()
                    started = time.perf_counter()
                    self._road.loop.run_until_complete(step())
                    ours.append(time.perf_counter() - started)
                    (lines,) = tape.steps()
                    bare.append(replayed(cursor, lines))
        return statistics.median(ours) / statistics.median(bare)


class Groups:
    """The MLLP listener, and a server that answers frames when it committed rows like its own."""

    def __init__(self, road: Road, line: Line) -> None:
        self._road = road
        self._line = line

    def together(self, times: int) -> float:
        """Our messages a second over those of the other server."""
        return self._road.loop.run_until_complete(self._together(times))

    async def _together(self, times: int) -> float:
        port, store = await self._line.opened()
        each, tape = times // TOGETHER, Tape()
        file = self._road.folder / "line-twin.sqlite3"
        with closing(twin(store, file)) as copy:
            with tape.recording(store):
                ours = await connected(port, self._line.frames(each))
            server = await asyncio.start_server(Bare(copy, tape).serve, "127.0.0.1", 0)
            async with server:
                other = server.sockets[0].getsockname()[1]
                bare = await connected(other, self._line.frames(each))
        return bare / ours


class Bare:
    """Takes frames; what came in one turn of the loop is one commit of as many recorded rows."""

    def __init__(self, connection: sqlite3.Connection, tape: Tape) -> None:
        self._cursor = connection.cursor()
        self._waiting: list[asyncio.StreamWriter] = []
        usual = tape.steps()[-1]
        self._order = [(sql, many) for sql, _, many in usual]
        self._rows: dict[str, deque[Any]] = {sql: deque() for sql, _, many in usual if many}
        singles: dict[str, list[Any]] = {sql: [] for sql, _, many in usual if not many}
        for sql, values, many in tape.lines:
            if many:
                self._rows[sql].extend(values)
            elif sql in singles:
                singles[sql].append(values)
            else:  # the first message of all also makes the organization's key
                self._cursor.execute(sql, values)
        self._singles: dict[str, Iterator[Any]] = {
            sql: itertools.cycle(values) for sql, values in singles.items()
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await reader.readuntil(END)
            except asyncio.IncompleteReadError:
                writer.close()
                return
            if not self._waiting:
                loop.call_soon(self._commit)
            self._waiting.append(writer)

    def _commit(self) -> None:
        waiting, self._waiting = self._waiting, []
        for sql, many in self._order:
            if many:
                rows = self._rows[sql]
                self._cursor.executemany(sql, [rows.popleft() for _ in waiting])
                continue
            self._cursor.execute(sql, next(self._singles[sql]))
            if self._cursor.description:
                self._cursor.fetchall()
        for writer in waiting:
            writer.write(START + b"MSH|^~\\&|\rMSA|AA|1\r" + END)
