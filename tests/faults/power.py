"""The power is cut: what a machine finds afterwards is what was synced, and no more.

On SQLite the machine of the service goes: service and disk end at the same moment, also the moment
after each door has said yes over HTTP. On PostgreSQL the machine of the database goes, while the
service lives on. Whatever was acknowledged until then must be on the platter, and its letter go out
once.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.faults.doors import PEER, cut_after_each
from tests.faults.outage import outage
from tests.faults.platter import Platter, may_mount, platter, sync
from tests.faults.stage import Stage, staged
from tests.faults.tour import Tour
from tests.integration.store.postgres import Cluster, running_cluster

KIND = "power"
NOT_ALLOWED = "a disk whose power can be cut is a loop device, and this process may mount none"


async def run(tour: Tour) -> None:
    """Cuts of the service's machine, and of the database's."""
    if not may_mount():
        tour.say(f"power: left out: {NOT_ALLOWED}")
        return
    await _service(tour, tour.pick(sample=1, quick=3, full=20))
    await _doors(tour)
    if tour.scale != "sample":
        await _database(tour, tour.pick(sample=1, quick=2, full=10))


async def _service(tour: Tour, times: int) -> None:
    async with platter("64M") as disk, staged(await tour.zygote(), place=disk.folder) as stage:
        await stage.start()
        sync(disk.folder)  # key and configuration; what comes later is the store's to sync

        async def fail(_: Stage) -> None:
            await asyncio.sleep(tour.chance.random())
            await stage.kill()
            await disk.cut()

        async def heal(_: Stage) -> None:
            stage.let_go()
            await disk.restore()
            await stage.start()

        for _ in range(times):
            await outage(
                tour, stage, fault="the service's machine", kind=KIND, store="sqlite", fail=fail,
                heal=heal, seconds=0, refuses=False,
            )  # fmt: skip


async def _doors(tour: Tour) -> None:
    zygote = await tour.zygote()
    async with platter("64M") as disk, staged(zygote, place=disk.folder, more=PEER) as stage:
        await cut_after_each(tour, stage, disk, KIND)


async def _database(tour: Tour, times: int) -> None:
    async with platter("512M") as disk:
        with running_cluster(_for_postgres(disk)) as cluster:
            async with staged(await tour.zygote(), cluster.new_database()) as stage:
                await stage.start()
                for _ in range(times):
                    await _cut(tour, stage, disk, cluster)


async def _cut(tour: Tour, stage: Stage, disk: Platter, cluster: Cluster) -> None:
    async def fail(_: Stage) -> None:
        await asyncio.sleep(tour.chance.random())
        await asyncio.to_thread(cluster.kill)
        await disk.cut()

    async def heal(_: Stage) -> None:
        await disk.restore()
        await asyncio.to_thread(cluster.start)

    await outage(
        tour, stage, fault="the database's machine", kind=KIND, store="postgresql", fail=fail,
        heal=heal, seconds=1,
    )  # fmt: skip


def _for_postgres(disk: Platter) -> Path:
    """A place on the disk that the server's user may write to, and that is there after a cut."""
    disk.folder.chmod(0o755)
    disk.folder.parent.chmod(0o755)
    return disk.folder
