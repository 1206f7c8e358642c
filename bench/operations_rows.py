"""Rows on what a running service does: acknowledge, carry status, queue, share lanes."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from row import Row
from rows import SITE, Road

from adapter.cli import init
from adapter.cli.demonstration import messages
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.referral.room import Move
from adapter.store.store import Store

HERE = Path(__file__).resolve().parent
START, END = b"\x0b", b"\x1c\r"
TOGETHER = 32
FIRST = 100
LATER = "takes minutes; left out by --quick"


def rows(road: Road, line: Line, *, quick: bool = False) -> list[Row]:
    """All rows of this file; the long ones are left out where `quick`."""
    queue = Queue(road.folder)
    cluster = Cluster()
    why = LATER if quick else ""
    return [
        Row("status from the agency to Task update, durable", "FULL", 2, Status(road).each, 60),
        Row("MLLP ACK after commit, one connection", "echo + commit", 3, line.alone, 200),
        Row("the same, 32 connections", "echo's throughput", 0.5, line.together, 640, True),
        Row("claim of 10^6 deliveries, p99", "p99 at 10^3", 2, queue.claims, 400, unmeasured=why),
        Row("peak memory at 10^6 deliveries", "MiB", 300, queue.memory, 1, unmeasured=why),
        Row(
            "PostgreSQL, 2 workers, 20 ms destination", "1 worker", 1.7, cluster.gain, 600, True,
            why or cluster.missing,
        ),
    ]  # fmt: skip


class Status:
    """An agency accepts: lifecycle, journal, audit, Task version, the answer queued; one commit."""

    def __init__(self, road: Road) -> None:
        self._road = road

    def each(self, times: int) -> float:
        """Seconds of one, the median."""
        return self._road.loop.run_until_complete(self._run(times))

    async def _run(self, times: int) -> float:
        seconds = []
        for move in await self.moves(times):
            started = time.perf_counter()
            await self.act(move)
            seconds.append(time.perf_counter() - started)
        return statistics.median(seconds)

    async def moves(self, times: int) -> list[Move]:
        """Acceptances of new referrals, which were received and carried through."""
        service, moves = self._road.service, []
        for row in self._road.received(times):
            done = await service.store.write(lambda tx, row=row: service.engine.process(tx, row))
            (work,) = service.store.read_now(
                lambda tx, own=done.referral: tx.cases.fulfilments(own)
            )
            moves.append(Move(fulfilment=work.id, actor="performer", to="accepted"))
        return moves

    async def act(self, move: Move) -> None:
        """Make one."""
        desk = self._road.service.desk
        acted = await desk.act(move, site="agency", actor="link:0", key=move.fulfilment)
        if acted.state != "done":
            raise RuntimeError(f"the move was {acted.state}: {acted.refused}")


class Line:
    """The service's MLLP listener beside a bare asyncio server that takes the same bytes."""

    def __init__(self, road: Road) -> None:
        self._road = road
        self._service: Service | None = None
        self._bare: dict[bool, int] = {}
        self._port = 0

    def alone(self, times: int) -> float:
        """Our seconds for one message over those of a server that only commits and answers."""
        return self._road.loop.run_until_complete(self._alone(times))

    def together(self, times: int) -> float:
        """Our messages a second over those of a server that only answers, 32 connections each."""
        return self._road.loop.run_until_complete(self._together(times))

    async def _alone(self, times: int) -> float:
        await self._open()
        fresh, other = self._frames(times), self._frames(times)
        ours = await _client(self._port, fresh)
        bare = await _client(self._bare[True], other)
        return statistics.median(ours) / statistics.median(bare)

    async def _together(self, times: int) -> float:
        await self._open()
        each = times // TOGETHER
        ours = await connected(self._port, self.frames(each))
        return await connected(self._bare[False], self.frames(each)) / ours

    async def opened(self) -> tuple[int, Store]:
        """The listener's port, and the store that it fills."""
        await self._open()
        assert self._service is not None
        return self._port, self._service.store

    def frames(self, each: int) -> list[list[bytes]]:
        """So many messages for each of the connections."""
        return [self._frames(each) for _ in range(TOGETHER)]

    def _frames(self, count: int) -> list[bytes]:
        shipped = self._road.message
        return [START + messages.renewed(shipped).encode() + END for _ in range(count)]

    async def _open(self) -> None:
        if self._service is not None:
            return
        folder = self._road.folder / "line"
        folder.mkdir()
        init.write(folder, example=True, answers_port=9, smtp_port=9)
        service = self._service = Service.open(load_config(folder / "adapter.toml"), pages=Pages())
        service.bound("http://127.0.0.1:9")
        self._road.also_close(service)
        await service.fleet.open()  # nothing works on the inbox: only receipts are measured
        await service.fleet.listen()
        self._port = int(service.fleet.addresses[SITE].rpartition(":")[2])
        for commits in (True, False):
            self._bare[commits] = await _bare(folder / f"bare-{commits}.sqlite3", commits)


async def connected(port: int, frames: list[list[bytes]]) -> float:
    """Seconds in which as many connections as there are lists are answered to all of theirs."""
    started = time.perf_counter()
    await asyncio.gather(*(_client(port, some) for some in frames))
    return time.perf_counter() - started


async def _client(port: int, frames: list[bytes]) -> list[float]:
    """Send each frame after the answer to the one before; the seconds of each."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds = []
    for frame in frames:
        started = time.perf_counter()
        writer.write(frame)
        answer = await reader.readuntil(END)
        seconds.append(time.perf_counter() - started)
        if b"MSA|AA" not in answer and b"MSA|CA" not in answer:
            raise RuntimeError("a message was not acknowledged")
    writer.close()
    await writer.wait_closed()
    return seconds


async def _bare(file: Path, commits: bool) -> int:
    """A server that answers every frame, after a commit if so wanted; its port."""
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("CREATE TABLE messages (content BLOB)")
    answer = START + b"MSH|^~\\&|\rMSA|AA|1\r" + END

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                frame = await reader.readuntil(END)
            except asyncio.IncompleteReadError:
                writer.close()
                return
            if commits:
                database.execute("INSERT INTO messages VALUES (?)", (frame,))
            writer.write(answer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    return port


class Queue:
    """A queue of a million lanes that are all due, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mebibytes = 0.0
        self._large = 0.0

    def claims(self, times: int) -> float:
        """The p99 of a claim at 10^6 over that at 10^3; the million is measured once."""
        small, _ = self._run(1_000, times)
        if not self._large:
            self._large, self._mebibytes = self._run(1_000_000, times)
        return self._large / small

    def memory(self, _: int) -> float:
        """What the process with the million held at most, as measured in the row before."""
        return self._mebibytes

    def _run(self, lanes: int, times: int) -> tuple[float, float]:
        done = subprocess.run(
            [
                sys.executable, HERE / "long_queue.py",
                str(self._folder / f"queue-{lanes}.sqlite3"), str(lanes), str(times),
            ],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        p99, mebibytes = done.stdout.split()
        return float(p99), float(mebibytes)


class Cluster:
    """Worker processes on a PostgreSQL of our own; each delivery takes its destination 20 ms."""

    def __init__(self) -> None:
        sys.path.insert(0, str(HERE.parent))
        from tests.integration.store.postgres import available

        self.missing = "" if available() else "PostgreSQL is missing: apt-get install postgresql"

    def gain(self, times: int) -> float:
        """Deliveries a second of two workers over those of one."""
        from tests.integration.store.postgres import running_cluster

        with running_cluster() as cluster:
            return self._drain(cluster, times, 1) / self._drain(cluster, times, 2)

    def _drain(self, cluster: Any, count: int, workers: int) -> float:
        """Seconds for so many, after the first ones, for which workers make their plans."""
        from adapter.security.keyring import Keyring
        from adapter.store.store import Store

        keyring, address = Keyring.generate(), cluster.new_database()
        with (
            tempfile.TemporaryDirectory(prefix="adapter-bench-") as folder,
            closing(Store.open(address, keyring)) as store,
        ):
            effects = Path(folder) / "effects"
            command = [
                sys.executable, "-m", "tests.integration.cluster.lane_worker",
                address, keyring.to_text(), str(effects), "0.02",
            ]  # fmt: skip
            processes = [
                subprocess.Popen(command, stdout=subprocess.PIPE, cwd=HERE.parent)
                for _ in range(workers)
            ]
            try:
                for each in processes:
                    assert each.stdout is not None
                    each.stdout.readline()
                time.sleep(1)  # their Procrastinate workers listen by now
                _carried(store, effects, FIRST)
                return _carried(store, effects, count)
            finally:
                for each in processes:
                    each.kill()
                    each.communicate()


def _carried(store: Any, effects: Path, count: int) -> float:
    """Seconds from when so many lanes are due to their last effect.

    Of the file of effects only what is new is read each time: the workers want the CPU.
    """
    effects.touch()
    with effects.open("rb") as lines:
        lines.seek(0, 2)
        store.write_now(lambda tx: _lanes(tx, count))
        started = time.perf_counter()
        left = count
        while (left := left - lines.read().count(b"\n")) > 0:
            time.sleep(0.01)
        return time.perf_counter() - started


def _lanes(tx: Any, count: int) -> None:
    """So many lanes with one delivery each."""
    from adapter.store.ids import new_id

    for _ in range(count):
        tx.outbox.add(
            organization="bench", referral=new_id(), destination="agency", event="0", kind="",
            document={}, test=True,
        )  # fmt: skip
