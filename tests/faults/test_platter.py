"""A cut of the power, as the fault tests make it: it takes what nobody synced, and nothing else."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.platter import command, may_mount, platter, sync
from tests.faults.power import NOT_ALLOWED

pytestmark = pytest.mark.skipif(not may_mount(), reason=NOT_ALLOWED)

COMMITS = 50
WRITER = """
import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA journal_mode = WAL")
store.execute(f"PRAGMA synchronous = {sys.argv[2]}")
for number in range(int(sys.argv[3])):
    store.execute("INSERT INTO numbers VALUES (?)", (number,))
    print(number, flush=True)
time.sleep(60)
"""


def test_what_was_not_synced_is_not_on_the_platter() -> None:
    async def run() -> tuple[str, bool]:
        async with platter("16M") as disk:
            (disk.folder / "synced").write_text("here")
            command("sync", str(disk.folder / "synced"))
            (disk.folder / "forgotten").write_text("here")
            await disk.cut()
            await disk.restore()
            return (disk.folder / "synced").read_text(), (disk.folder / "forgotten").exists()

    assert asyncio.run(run()) == ("here", False)


@pytest.mark.parametrize(("synchronous", "kept"), [("FULL", True), ("NORMAL", False)])
def test_only_commits_that_are_synced_outlive_it(synchronous: str, kept: bool) -> None:
    """Why a store with less than ``synchronous=FULL`` is refused."""

    async def run() -> int:
        async with platter("16M") as disk:
            file = disk.folder / "store"
            with closing(sqlite3.connect(file)) as store:
                store.execute("PRAGMA journal_mode = WAL")
                store.execute("CREATE TABLE numbers (number INTEGER)")
            sync(disk.folder)
            await asyncio.to_thread(commit, file, synchronous)
            await disk.cut()
            await disk.restore()
            with closing(sqlite3.connect(file)) as store:
                (found,) = store.execute("SELECT count(*) FROM numbers").fetchone()
            return int(found)

    found = asyncio.run(run())
    assert found == COMMITS if kept else found < COMMITS


def commit(file: Path, synchronous: str) -> None:
    """Have a program commit, and kill it when it said that all is done."""
    words = [sys.executable, "-c", WRITER, str(file), synchronous, str(COMMITS)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        for _ in range(COMMITS):
            writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
