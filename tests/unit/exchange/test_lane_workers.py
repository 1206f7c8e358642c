"""What a worker cannot write of a job ends the worker, so that the job does not stand for ever."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytest.importorskip("procrastinate", reason="the cluster needs the extra postgresql")

from procrastinate.jobs import Job, Status

from adapter.exchange.cluster import MOST_WORKERS, _groups
from adapter.exchange.worker_life import LivingJobs

JOB = Job(id=7, queue="agency", lock="a|agency", queueing_lock="a|agency", task_name="deliver")


class Connector:
    def __init__(self, fault: Exception | None) -> None:
        self.fault = fault
        self.asked: list[dict[str, Any]] = []

    async def execute_query_async(self, query: str, **arguments: Any) -> None:
        self.asked.append(arguments)
        if self.fault is not None:
            raise self.fault


async def ended(connector: Any, status: Status) -> bool:
    """Finish a job; True if that was the end of the worker."""
    jobs = LivingJobs(connector)
    await jobs.finish_job(JOB, status, True)
    watching = asyncio.create_task(jobs.unfinished())
    await asyncio.sleep(0.01)
    watching.cancel()
    return watching.done() and not watching.cancelled()


def test_a_job_whose_end_is_written_ends_no_worker() -> None:
    connector = Connector(None)
    assert not asyncio.run(ended(connector, Status.SUCCEEDED))
    assert [each["job_id"] for each in connector.asked] == [7]


def test_a_job_whose_end_cannot_be_written_ends_its_worker() -> None:
    assert asyncio.run(ended(Connector(OSError("away")), Status.SUCCEEDED))


def test_a_job_that_was_broken_off_is_left_to_be_taken_over() -> None:
    connector = Connector(None)
    assert not asyncio.run(ended(connector, Status.ABORTED))
    assert connector.asked == []


@pytest.mark.parametrize("sites", [0, 1, 5, MOST_WORKERS, 100])
def test_each_site_has_one_worker(sites: int) -> None:
    names = [f"site-{number}" for number in range(sites)]
    groups = _groups(names)
    assert sorted(name for group in groups for name in group) == sorted(names)
    assert len(groups) == min(sites, MOST_WORKERS)
    assert all(groups)
