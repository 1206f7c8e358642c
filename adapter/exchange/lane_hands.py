"""Procrastinate's jobs as its workers see them, where our store takes and ends them.

Procrastinate would take a job in one transaction and end it in another, and the delivery would be
claimed and recorded in two more. Here a job comes with its delivery claimed, as many at once as
there are hands free, and goes with what became of it (`adapter.exchange.taking`).
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

import structlog
from procrastinate.connector import BaseAsyncConnector
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from adapter.exchange.taking import Taken
from adapter.exchange.worker_life import WorkerLife

TASK = "deliver"
Take = Callable[[int, Sequence[str], int], Awaitable[tuple[list[Taken], bool]]]
"""For a worker, of these sites, so many; and whether it is worth asking again at once."""
GiveBack = Callable[[Sequence[Taken]], Awaitable[None]]
Carry = Callable[[Taken], Awaitable[bool]]
"""Carry a delivery; True if the end of its job was written too."""


class LaneHands(JobManager):
    """No worker takes a job before it shows that it lives; none takes more than it has hands for.

    A job whose end cannot be written would be a living worker's for ever, and its lane would stand.
    So that is the end of this worker, and its jobs are taken over.
    """

    life: WorkerLife

    def __init__(
        self,
        connector: BaseAsyncConnector,
        *,
        per_site: int,
        take: Take,
        give_back: GiveBack,
        carry: Carry,
    ) -> None:
        super().__init__(connector)
        self._per_site = per_site
        self._take = take
        self._give_back = give_back
        self._carry = carry
        self._waiting: dict[int, deque[Taken]] = {}
        self._begun: dict[int, Taken] = {}
        self._held: Counter[int] = Counter()
        self._ended: set[int] = set()
        self._turn = 0
        self._log = structlog.get_logger("cluster")
        self._unfinished = asyncio.Event()

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """The next job of a worker; where none was left over, as many are taken as have room."""
        sites = self._in_turn(list(queues or ()))
        waiting = self._waiting.setdefault(worker_id, deque())
        while not waiting:
            room = self._per_site * len(sites) - self._held[worker_id]
            haul, more = await self._take(worker_id, sites, room)
            if not more:
                return None
            waiting.extend(haul)
            self._held[worker_id] += len(haul)
        taken = waiting.popleft()
        self._begun[taken.job.id] = taken
        return _as_job(taken)

    def _in_turn(self, sites: list[str]) -> list[str]:
        """Each time another one first, so that none takes all hands of a worker for ever."""
        self._turn += 1
        first = self._turn % max(len(sites), 1)
        return sites[first:] + sites[:first]

    async def deliver(self, job: int) -> None:
        """The task of every job."""
        if await self._carry(self._begun[job]):
            self._ended.add(job)

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Write that a job ended, if it is not; one that was broken off is left to others."""
        assert job.id is not None
        assert job.worker_id is not None
        self._begun.pop(job.id, None)
        self._held[job.worker_id] -= 1
        if job.id in self._ended:
            self._ended.remove(job.id)
            return
        if status == Status.ABORTED:
            return
        try:
            await super().finish_job(job, status, delete_job)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else looks at it
            self._log.warning("cluster.job-not-finished", error=type(error).__name__)
            self._unfinished.set()

    async def unfinished(self) -> None:
        """Return when the end of a job could not be written."""
        await self._unfinished.wait()

    async def register_worker(self) -> int:
        """The id of a new worker, held."""
        worker = await super().register_worker()
        await self.life.hold(worker)
        return worker

    async def unregister_worker(self, worker_id: int) -> None:
        """Give back what this worker took and did not begin, and forget it."""
        if waiting := self._waiting.pop(worker_id, None):
            await self._give_back(waiting)
        await super().unregister_worker(worker_id)


def _as_job(taken: Taken) -> Job:
    job, lane = taken.job, "|".join(taken.job.lane)
    return Job(
        id=job.id,
        queue=job.lane[1],
        lock=lane,
        queueing_lock=lane,
        task_name=TASK,
        task_kwargs={"job": job.id},
        worker_id=job.worker,
    )
