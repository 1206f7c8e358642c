"""The locks of a lane, where several processes write to one store (PostgreSQL), in one order.

Whoever takes a lane has its waiting job first and its head then (`adapter.store.taken_jobs`). Who
changes a lane otherwise asks for them in the same order: a change that makes a lane due touches its
job, and two who have what the other wants would stand for a second, until the database undoes one.
"""

from __future__ import annotations

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.session import Session
from adapter.store.statement import Statement, one_of

OPEN = ("due", "sending", "dead", "quarantined")
"""The states of a delivery that holds up what stands behind it in its lane."""

_t = schema.outbox
_jobs = sa.table("procrastinate_jobs", sa.column("id"), sa.column("queueing_lock"))
_lane = sa.and_(
    _t.c.referral == sa.bindparam("of_referral"), _t.c.destination == sa.bindparam("of_destination")
)
_TAIL = Statement(
    sa.select(
        sa.func.coalesce(sa.func.max(_t.c.lane_sequence), 0),
        sa.func.coalesce(sa.func.sum(sa.case((one_of(_t.c.state, OPEN), 1), else_=0)), 0),
    ).where(_lane)
)
_HEAD = Statement(
    sa.select(_t.c.id)
    .where(_lane, one_of(_t.c.state, OPEN))
    .order_by(_t.c.lane_sequence)
    .limit(sa.literal_column("1"))
    .with_for_update()
)
_JOB = Statement(
    sa.select(_jobs.c.id)
    .where(
        _jobs.c.queueing_lock == sa.bindparam("of_lane", type_=sa.Text),
        sa.literal_column("status = 'todo'"),
    )
    .with_for_update()
)


def hold_lane(session: Session, referral: str, destination: str) -> None:
    """Until this transaction ends, nobody else takes the lane or closes its head."""
    if session.shared:
        session.row(_JOB, {"of_lane": f"{referral}|{destination}"})
        tail(session, referral, destination)


def tail(session: Session, referral: str, destination: str) -> tuple[int, int]:
    """The last place in a lane, and how many rows before a new one are open.

    Where others write at the same time, the head stays open until this transaction ends: else it
    might be closed meanwhile by one who does not see the new row, and nobody would go on.
    """
    lane = {"of_referral": referral, "of_destination": destination}
    while True:
        last, open_rows = session.row(_TAIL, lane) or (0, 0)
        # None is found where whoever was waited for closed the only row that was seen to be open.
        if not open_rows or not session.shared or session.row(_HEAD, lane):
            return last, open_rows
