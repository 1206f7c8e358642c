"""A worker takes the jobs of lanes, and ends them, in the store's own transactions (PostgreSQL).

So a lane's delivery is claimed with its job, and what became of it is written with the job's end:
two commits a delivery, and never a claim without a job or a job without its claim. The jobs are
Procrastinate's, by its rules: the lock of a job that runs is its lane's, and no two run with one.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from adapter.store.outbox_row import Lane
from adapter.store.sites import state_of
from adapter.store.statement import Statement
from adapter.store.transaction import Transaction

_names = ("id", "queue_name", "lock", "worker_id", "priority", "status", "args")
_jobs = sa.table("procrastinate_jobs", *map(sa.column, _names))
_waiting, _other = _jobs.alias("waiting"), _jobs.alias("other")
# A limit and an array where a join would do: the planner then has one way, by the indexes, whatever
# it knows of a table that is empty now and holds a million rows an hour later.
_runs = (
    sa.select(sa.literal_column("true", sa.Boolean))
    .where(_other.c.lock == _waiting.c.lock, sa.literal_column("other.status = 'doing'"))
    .limit(sa.literal_column("1"))
    .scalar_subquery()
)
_next = (
    sa.select(_waiting.c.id)
    .where(
        _waiting.c.queue_name == sa.bindparam("site", type_=sa.Text),
        sa.literal_column("waiting.status = 'todo'"),
        _runs.is_not(True),
    )
    .order_by(_waiting.c.priority.desc(), _waiting.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
    .with_for_update(of=_waiting, skip_locked=True)
    .scalar_subquery()
)
_TAKE = Statement(
    sa.update(_jobs)
    .where(_jobs.c.id == sa.any_(sa.func.array(_next)))
    .values(
        status=sa.literal_column("'doing'"),
        worker_id=sa.bindparam("worker", type_=sa.BigInteger),
    )
    .returning(
        _jobs.c.id,
        sa.literal_column("args ->> 'referral'"),
        sa.literal_column("args ->> 'destination'"),
        state_of("procrastinate_jobs.queue_name"),
    )
)
_END = Statement(
    sa.delete(_jobs).where(
        _jobs.c.id == sa.bindparam("job", type_=sa.BigInteger),
        sa.literal_column("status = 'doing'"),
        _jobs.c.worker_id == sa.bindparam("worker", type_=sa.BigInteger),
    )
)


@dataclass(frozen=True, slots=True)
class LaneJob:
    """A lane that was due, and which of Procrastinate's workers has its job."""

    id: int
    worker: int
    lane: Lane


def take(tx: Transaction, worker: int, site: str, most: int) -> tuple[list[LaneJob], str | None]:
    """Up to `most` jobs of a site, the oldest first; from now on they are this worker's.

    Gives with them how the site stands, None if nobody ever said; or if it has no job.
    """
    found = sorted(tx.session.rows(_TAKE, {"worker": worker, "site": site, "most": most}))
    jobs = [LaneJob(row[0], worker, (row[1], row[2])) for row in found]
    return jobs, found[0][3] if found else None


def end(tx: Transaction, job: LaneJob) -> None:
    """The job is done. One that was taken over meanwhile is another's to end, and stays."""
    tx.session.run(_END, {"job": job.id, "worker": job.worker})
