"""Workers take as many jobs as they have hands for; no job stands for ever at one that lives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

pytest.importorskip("procrastinate", reason="the cluster needs the extra postgresql")

from procrastinate.jobs import Job, Status

from adapter.exchange.cluster import MOST_WORKERS, _groups
from adapter.exchange.lane_hands import LaneHands
from adapter.exchange.taking import Taken
from adapter.store.taken_jobs import LaneJob

WORKER = 3
SITES = ["agency", "clinic"]


class Connector:
    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.asked: list[dict[str, Any]] = []

    async def execute_query_async(self, query: str, **arguments: Any) -> None:
        self.asked.append(arguments)
        if self.fault is not None:
            raise self.fault


class Lanes:
    """So many jobs wait; who carries one says whether its end was written too."""

    def __init__(self, waiting: int, *, ends: bool = True) -> None:
        self.left = [LaneJob(n, WORKER, (f"lane-{n}", "agency")) for n in range(1, waiting + 1)]
        self.ends = ends
        self.asked: list[tuple[list[str], int]] = []
        self.back: list[int] = []

    async def take(self, worker: int, sites: Sequence[str], most: int) -> tuple[list[Taken], bool]:
        self.asked.append((list(sites), most))
        taken, self.left = self.left[:most], self.left[most:]
        return [Taken(job, None) for job in taken], bool(taken)

    async def give_back(self, taken: Sequence[Taken]) -> None:
        self.back += [each.job.id for each in taken]

    async def carry(self, taken: Taken) -> bool:
        return self.ends


def hands(connector: Connector, lanes: Lanes, per_site: int = 2) -> LaneHands:
    return LaneHands(
        connector,  # type: ignore[arg-type]
        per_site=per_site, take=lanes.take, give_back=lanes.give_back, carry=lanes.carry,
    )  # fmt: skip


async def fetched(having: LaneHands) -> Job:
    job = await having.fetch_job(SITES, WORKER)
    assert job is not None
    assert job.id is not None
    return job


async def done(having: LaneHands, status: Status = Status.SUCCEEDED) -> None:
    job = await fetched(having)
    if status == Status.SUCCEEDED:
        await having.deliver(**job.task_kwargs)
    await having.finish_job(job, status, True)


async def is_over(having: LaneHands) -> bool:
    """True if a worker of these should be ended."""
    watching = asyncio.create_task(having.unfinished())
    await asyncio.sleep(0.01)
    watching.cancel()
    return watching.done() and not watching.cancelled()


def test_as_many_are_taken_at_once_as_hands_are_free_and_no_more() -> None:
    async def run() -> list[int]:
        lanes = Lanes(9)
        having = hands(Connector(), lanes)
        first = [await fetched(having) for _ in range(3)]
        for job in first[:2]:
            await having.deliver(**job.task_kwargs)
            await having.finish_job(job, Status.SUCCEEDED, True)
        for _ in range(2):  # the fourth of the first haul, then a new one
            await fetched(having)
        return [most for _, most in lanes.asked]

    assert asyncio.run(run()) == [4, 2]


def test_each_site_comes_first_in_turn() -> None:
    async def run() -> set[str]:
        lanes = Lanes(0)
        having = hands(Connector(), lanes)
        for _ in SITES:
            assert await having.fetch_job(SITES, WORKER) is None
        return {sites[0] for sites, _ in lanes.asked}

    assert asyncio.run(run()) == set(SITES)


def test_what_was_taken_and_not_begun_is_given_back_at_the_end() -> None:
    async def run() -> list[int]:
        lanes = Lanes(9)
        having = hands(Connector(), lanes)
        await fetched(having)
        await having.unregister_worker(WORKER)
        return lanes.back

    assert asyncio.run(run()) == [2, 3, 4]


def test_a_job_whose_end_is_written_with_its_delivery_is_not_ended_again() -> None:
    connector = Connector()
    asyncio.run(done(hands(connector, Lanes(1))))
    assert connector.asked == []


def test_a_job_whose_end_was_not_written_is_ended_by_itself() -> None:
    connector = Connector()
    having = hands(connector, Lanes(1, ends=False))
    asyncio.run(done(having))
    assert [each["job_id"] for each in connector.asked] == [1]
    assert not asyncio.run(is_over(having))


def test_a_job_whose_end_cannot_be_written_ends_its_worker() -> None:
    having = hands(Connector(OSError("away")), Lanes(1, ends=False))
    asyncio.run(done(having))
    assert asyncio.run(is_over(having))


def test_a_job_that_was_broken_off_is_left_to_be_taken_over() -> None:
    connector = Connector()
    having = hands(connector, Lanes(1))
    asyncio.run(done(having, Status.ABORTED))
    assert connector.asked == []
    assert not asyncio.run(is_over(having))


@pytest.mark.parametrize("sites", [0, 1, 5, MOST_WORKERS, 100])
def test_each_site_has_one_worker(sites: int) -> None:
    names = [f"site-{number}" for number in range(sites)]
    groups = _groups(names)
    assert sorted(name for group in groups for name in group) == sorted(names)
    assert len(groups) == min(sites, MOST_WORKERS)
    assert all(groups)
