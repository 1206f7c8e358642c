"""A backup restored on an empty machine: the same chain, counts and open lanes; the work goes on.

While some destinations are down, so that lanes are open, a backup is made and everything else is
thrown away. It is restored into an empty folder, or an empty database of either kind. A service
on it then brings every open delivery to its end, once.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from adapter.exchange import operations
from adapter.store import audit, journal
from adapter.store.backup import backup
from adapter.store.chain import Head
from adapter.store.check import check, counts, open_lanes
from adapter.store.restore import restore
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.faults.destination import Scene, send
from tests.faults.journey import Journeys, until
from tests.faults.stage import Stage, staged
from tests.faults.tour import STORES, Tour

KIND = "backup"
State = tuple[dict[str, int], dict[tuple[str, str], int], list[Head]]


async def run(tour: Tour) -> None:
    """From each kind of store to each, some times."""
    pairs = [(one, two) for one in STORES for two in STORES]
    for _ in range(tour.pick(sample=1, quick=1, full=5)):
        for source, target in pairs if tour.scale != "sample" else pairs[:2]:
            with TemporaryDirectory() as place:
                await _one(tour, source, target, Path(place))


async def _one(tour: Tour, source: str, target: str, place: Path) -> None:
    scene = Scene(place)
    await scene.open()
    try:
        await _moved(tour, source, target, place, scene)
    finally:
        await scene.close()


async def _moved(tour: Tour, source: str, target: str, place: Path, scene: Scene) -> None:
    more = scene.configuration()
    async with tour.stage(source, more) as stage:
        (stage.folder / "authority.pem").write_bytes(scene.ca.read_bytes())
        await stage.start()
        await Journeys(stage, ["BACKUP-1", "BACKUP-2"]).run()
        for name in ("http", "mllp", "mail"):
            await scene.peers[name].close()
        numbers = [
            (f"OPEN-{name}-{n}", name) for name in ("http", "mllp", "mail") for n in range(3)
        ]
        for number, name in numbers:
            await send(stage, number, f"{name.upper()}-1")
        async with asyncio.timeout(20):
            await until(lambda: _tried(stage, len(numbers)), 0.05)
        await stage.kill()
        assert stage.store is not None
        before = stage.store.read_now(_state)
        backup(stage.store, place / "backup")
        keyring = stage.keyring
    began = time.monotonic()
    async with staged(await tour.zygote(), tour.address(target), more=more) as empty:
        shutil.copy(place / "authority.pem", empty.folder)
        (empty.folder / "adapter.key").write_text(keyring.to_text())
        empty.keyring = keyring
        url = empty.url.replace("sqlite:///", f"sqlite:///{empty.folder}/")
        await asyncio.to_thread(restore, place / "backup", url, keyring)
        restored = Store.open(url, keyring)
        after = restored.read_now(_state)
        unsound = [each.name for each in check(restored) if each.state == "fail"]
        restored.close()
        for name in ("http", "mllp", "mail"):
            await scene.set(None, name)
        await empty.start()
        await _hasten(empty)
        async with asyncio.timeout(20):
            await until(lambda: not _open(empty), 0.05)
        recovery = time.monotonic() - began
    arrived = sum(len(scene.peers[name].kept) for name in ("http", "mllp", "mail"))
    different = sum(a != b for a, b in zip(before, after, strict=True)) + len(unsound)
    tour.say(f"backup: {source} to {target}: {sum(before[0].values())} rows, {len(before[1])} open"
             f" lanes, {different} differences, {arrived} of {len(numbers)} arrived")  # fmt: skip
    tour.results.add(
        f"restored on an empty machine, from {source}", KIND, target, acknowledged=len(numbers),
        effects=arrived, lost=max(len(numbers) - arrived, 0) + different,
        duplicated=max(arrived - len(numbers), 0), recovery=recovery,
    )  # fmt: skip


def _state(tx: Transaction) -> State:
    """What must be equal: rows of each table, open lanes, and the ends of both chains."""
    heads = [chain.head(tx.session) for chain in (journal.CHAIN, audit.CHAIN)]
    assert tx.journal.verify() == tx.audit.verify() == []
    return counts(tx), open_lanes(tx), heads


def _tried(stage: Stage, wanted: int) -> bool:
    assert stage.store is not None
    rows = stage.store.read_now(lambda tx: tx.outbox.list())
    return sum(row.state == "waiting" and row.attempts > 0 for row in rows) >= wanted


def _open(stage: Stage) -> bool:
    assert stage.store is not None
    return bool(stage.store.read_now(open_lanes))


async def _hasten(stage: Stage) -> None:
    """An operator does not wait for the schedule."""
    assert stage.store is not None

    def act(tx: Transaction) -> None:
        for name in ("http", "mllp", "mail"):
            operations.resume(tx, name, "Test community health", tx.now())

    await stage.store.write(act)
