"""The jobs by which several processes share the lanes (PostgreSQL): prove that none is missing.

A trigger puts a job for a lane into Procrastinate's table in the transaction that makes the lane
due (migration 0004). What is due later gets its job here, when its time has come; and here it shows
whether a due lane lacks one, whatever the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.dialect import Dialect
from adapter.store.statement import Statement
from adapter.store.times import to_micros
from adapter.store.transaction import Transaction

_LOCK = 7263947202
_t = schema.outbox
_columns = ("queue_name", "task_name", "lock", "queueing_lock", "args")
_jobs = sa.table("procrastinate_jobs", *map(sa.column, (*_columns, "status")))
_name = _t.c.referral + "|" + _t.c.destination
_todo = (
    sa.exists()
    .select_from(_jobs)
    .where(_jobs.c.queueing_lock == _name, sa.literal_column("status = 'todo'"))
)
_doing = (
    sa.exists()
    .select_from(_jobs)
    .where(_jobs.c.lock == _name, sa.literal_column("procrastinate_jobs.status = 'doing'"))
)
_lacking = sa.and_(_t.c.due_at <= sa.bindparam("now", type_=sa.BigInteger), ~_todo, ~_doing)


def _enqueue(dialect: Dialect) -> Any:
    args = sa.func.jsonb_build_object(
        sa.literal_column("'referral'"),
        _t.c.referral,
        sa.literal_column("'destination'"),
        _t.c.destination,
    )
    wanted = sa.select(_t.c.destination, sa.literal_column("'deliver'"), _name, _name, args)
    insert = dialect.insert(_jobs).from_select(list(_columns), wanted.where(_lacking))  # type: ignore[arg-type]
    return insert.on_conflict_do_nothing()


_ENQUEUE = Statement(_enqueue)
_LACKING = Statement(sa.select(sa.func.count()).select_from(_t).where(_lacking))
_ORPHANS = Statement(
    sa.update(_t)
    .where(
        _t.c.state == "sending",
        _t.c.claimed_by > "",
        _t.c.claimed_at < sa.bindparam("before"),
        ~_doing,
    )
    .values(state="due", due_at=_t.c.next_at, claimed_by=None, claimed_at=None)
)
_ALONE = Statement(
    sa.select(sa.func.pg_try_advisory_xact_lock(sa.bindparam("key", type_=sa.BigInteger)))
)

# What follows is not run in a transaction of the store, but on the connection that shows that a
# worker lives (`adapter.exchange.worker_life`), so that it is text for the driver.
HOLD = "SELECT pg_advisory_lock(7263947, (%(worker)s::bigint & 2147483647)::int)"
"""Hold the lock of one of Procrastinate's workers while this connection lasts."""
TAKE_OVER = """
WITH locked AS (
  SELECT objid::bigint AS worker FROM pg_locks
  WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid = 7263947
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), stale AS (
  SELECT job.id, job.queueing_lock FROM procrastinate_jobs AS job
  LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
  WHERE job.status = 'doing' AND (
    worker.id IS NULL
    OR worker.last_heartbeat < now() - %(stalled)s::interval
    OR (worker.last_heartbeat < now() - %(gone)s::interval
        AND NOT EXISTS (SELECT FROM locked WHERE locked.worker = worker.id & 2147483647)))
  FOR UPDATE OF job SKIP LOCKED
), waits AS (
  SELECT stale.id FROM stale JOIN procrastinate_jobs AS other
    ON other.queueing_lock = stale.queueing_lock AND other.status = 'todo'
), dropped AS (
  DELETE FROM procrastinate_jobs WHERE id IN (SELECT id FROM waits) RETURNING queue_name
), again AS (
  UPDATE procrastinate_jobs
  SET status = 'todo', attempts = attempts + 1, scheduled_at = now(), worker_id = NULL
  WHERE id IN (SELECT id FROM stale) AND id NOT IN (SELECT id FROM waits) RETURNING queue_name
)
SELECT queue_name FROM dropped UNION ALL SELECT queue_name FROM again
"""
"""Let the jobs of workers that are gone run again, each once however many processes look; where a
lane has another job waiting, only let go of its lock. Gives the queue of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What a sweep put right: lanes that got the job that they lacked, and claims let go."""

    enqueued: int = 0
    released: int = 0


def sweep(tx: Transaction, now: datetime, claimed_before: datetime) -> Swept:
    """Give every due lane its job, and free what no job is sending any more.

    One process at a time does it; the others find the lock taken and leave it to that one.

    Args:
        claimed_before: claims younger than this are left alone.
    """
    row = tx.session.row(_ALONE, {"key": _LOCK})
    if row is None or not row[0]:
        return Swept()
    released = tx.session.run(_ORPHANS, {"before": to_micros(claimed_before)})
    return Swept(released=released, enqueued=tx.session.run(_ENQUEUE, {"now": to_micros(now)}))


def lacking(tx: Transaction, since: datetime) -> int:
    """How many lanes have been due since a time and have no job."""
    row = tx.session.row(_LACKING, {"now": to_micros(since)})
    return int(row[0]) if row else 0
