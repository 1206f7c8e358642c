"""The database server crashes, is stopped, and comes and goes; PostgreSQL, a server of our own."""

from __future__ import annotations

import asyncio
import signal

from tests.faults.outage import outage
from tests.faults.stage import Stage, staged
from tests.faults.tour import Tour
from tests.integration.store.postgres import Cluster, running_cluster

KIND = "database"


async def run(tour: Tour) -> None:
    """Down after a crash, down after a stop, and flapping."""
    seconds = tour.pick(sample=1, quick=2, full=10)
    with running_cluster() as cluster:
        async with staged(await tour.zygote(), cluster.new_database()) as stage:
            await stage.start()
            for _ in range(tour.pick(sample=1, quick=1, full=5)):
                await _down(tour, stage, cluster, "server crashes", signal.SIGQUIT, seconds)
                if tour.scale != "sample":
                    await _down(tour, stage, cluster, "server is stopped", signal.SIGINT, seconds)
                    await _flapping(tour, stage, cluster, tour.pick(sample=2, quick=2, full=8))


async def _down(
    tour: Tour, stage: Stage, cluster: Cluster, fault: str, how: signal.Signals, seconds: float
) -> None:
    async def fail(_: Stage) -> None:
        await asyncio.to_thread(cluster.stop, how)

    async def heal(_: Stage) -> None:
        await asyncio.to_thread(cluster.start)

    await outage(
        tour, stage, fault=fault, kind=KIND, store="postgresql", fail=fail, heal=heal,
        seconds=seconds,
    )  # fmt: skip


async def _flapping(tour: Tour, stage: Stage, cluster: Cluster, times: int) -> None:
    """One second there, one second away."""

    async def fail(_: Stage) -> None:
        for _turn in range(times):
            await asyncio.to_thread(cluster.stop, signal.SIGQUIT)
            await asyncio.sleep(1)
            await asyncio.to_thread(cluster.start)
            await asyncio.sleep(1)
        await asyncio.to_thread(cluster.stop, signal.SIGQUIT)

    async def heal(_: Stage) -> None:
        await asyncio.to_thread(cluster.start)

    await outage(
        tour, stage, fault="server comes and goes", kind=KIND, store="postgresql", fail=fail,
        heal=heal, seconds=1,
    )  # fmt: skip
