"""The next sweep for lanes without a job comes soon, however long the store kept the last one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from adapter.exchange.clock import SystemClock
from adapter.exchange.cluster import Cluster
from adapter.exchange.taking import Taken
from adapter.store import lane_jobs
from adapter.store.errors import StoreFault

pytest.importorskip("procrastinate", reason="the cluster needs the extra postgresql")


class Store:
    """A store that lets its callers wait, and is then down or does the work."""

    def __init__(self, fault: StoreFault | None) -> None:
        self.fault = fault

    async def write(self, work: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0.3)
        if self.fault is not None:
            raise self.fault
        return work(None)


async def carry(_: Taken) -> bool:
    raise AssertionError("nothing is due")


@pytest.mark.parametrize("fault", [None, StoreFault("store.down", "The server does not answer.")])
def test_the_wait_for_the_store_is_not_the_work_of_the_sweep(
    monkeypatch: pytest.MonkeyPatch, fault: StoreFault | None
) -> None:
    monkeypatch.setattr(lane_jobs, "sweep", lambda *_: lane_jobs.Swept(enqueued=1))
    cluster = Cluster(
        store=Store(fault),  # type: ignore[arg-type]
        sites=["agency"], per_site=1, carry=carry, under_way=(), clock=SystemClock(),
    )  # fmt: skip
    assert asyncio.run(cluster._sweep()) < 0.2
