"""What a worker takes: jobs of lanes, each with the delivery that heads its lane, in one commit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapter.exchange.holding import HELD, may_carry, may_carry_of
from adapter.store import taken_jobs
from adapter.store.outbox_row import Lane, OutboxRow
from adapter.store.taken_jobs import LaneJob
from adapter.store.transaction import Transaction


@dataclass(frozen=True, slots=True)
class Taken:
    """A job, and its delivery; none where this process carries something in that lane still."""

    job: LaneJob
    row: OutboxRow | None


def take(
    tx: Transaction,
    worker: int,
    sites: Sequence[str],
    most: int,
    *,
    now: datetime,
    under_way: Collection[Lane],
) -> tuple[list[Taken], bool]:
    """Up to `most` lanes of these sites, and whether it is worth asking again for more.

    A job whose lane has nothing to carry now, or whose site is held, is ended here.
    """
    taken: list[Taken] = []
    found = 0
    for site in sites:
        jobs, stands = taken_jobs.take(tx, worker, site, most - len(taken))
        found += len(jobs)
        may, until = len(jobs), None
        if stands in HELD:
            may, until = may_carry_of(tx, site, len(jobs), now)
        taken += _claimed(tx, jobs[:may], now, under_way)
        _postpone(tx, jobs[may:], until or now)
        if len(taken) == most:
            break
    return taken, found > 0


def take_again(tx: Transaction, job: LaneJob, now: datetime) -> OutboxRow | None:
    """What is to be carried by a job that found its lane under way, now that this is over."""
    until = may_carry(tx, job.lane[1], now)
    if until is None:
        return _claim(tx, job, now)
    _postpone(tx, [job], until)
    return None


def _claimed(
    tx: Transaction, jobs: Sequence[LaneJob], now: datetime, under_way: Collection[Lane]
) -> list[Taken]:
    taken = []
    for job in jobs:
        if job.lane in under_way:
            taken.append(Taken(job, None))
        elif (row := _claim(tx, job, now)) is not None:
            taken.append(Taken(job, row))
    return taken


def _postpone(tx: Transaction, jobs: Sequence[LaneJob], until: datetime) -> None:
    for job in jobs:
        tx.outbox.postpone(job.lane, until)
        taken_jobs.end(tx, job)


def _claim(tx: Transaction, job: LaneJob, now: datetime) -> OutboxRow | None:
    row = tx.outbox.claim_lane(job.lane, now)
    if row is None:
        taken_jobs.end(tx, job)
    return row


def give_back(tx: Transaction, taken: Sequence[Taken]) -> None:
    """Leave to others what was taken and never begun: the lane gets a new job as it is due."""
    for each in taken:
        taken_jobs.end(tx, each.job)
        if each.row is not None:
            tx.outbox.unclaim(each.row.id)
