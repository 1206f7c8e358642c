"""The queries of the outbox; `adapter.store.outbox` says what they are for."""

from __future__ import annotations

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.lane_locks import OPEN
from adapter.store.sites import state_of
from adapter.store.statement import Statement, insert_all, one_of

_t = schema.outbox
_b = schema.outbox_bodies
ADD = Statement(
    lambda dialect: (
        dialect.insert(_t)
        .values({c.name: sa.bindparam(c.name) for c in _t.columns if c.name != "sequence"})
        .on_conflict_do_nothing()
        .returning(_t.c.sequence)
    )
)
ADD_BODY = insert_all(_b)
_lane = sa.and_(
    _t.c.referral == sa.bindparam("of_referral"), _t.c.destination == sa.bindparam("of_destination")
)
_next = _t.alias()
PROMOTE = Statement(
    sa.update(_t)
    .where(
        _lane,
        _t.c.state == "due",
        _t.c.lane_sequence
        == sa.select(sa.func.min(_next.c.lane_sequence))
        .where(
            _next.c.referral == sa.bindparam("of_referral"),
            _next.c.destination == sa.bindparam("of_destination"),
            one_of(_next.c.state, OPEN),
        )
        .scalar_subquery(),
    )
    .values(due_at=_t.c.next_at)
)
COLUMNS = [
    _t.c.sequence, _t.c.id, _t.c.organization, _t.c.referral, _t.c.fulfilment, _t.c.destination,
    _t.c.lane_sequence, _t.c.event, _t.c.kind, _t.c.test, _t.c.state, _t.c.attempts,
    _t.c.created_at, _t.c.next_at, _t.c.due_at, _t.c.done_at, _t.c.code, _t.c.error, _t.c.fix,
    _t.c.reason,
]  # fmt: skip
# What is claimed is given back with its body, so that the database is asked once. Words, because
# SQLAlchemy writes columns in RETURNING without their tables, and both have a `sequence`.
_own_body: sa.ColumnElement[bool] = sa.literal_column("outbox_bodies.sequence = outbox.sequence")
FULL = [
    *COLUMNS,
    _t.c.external_ids_sealed,
    sa.select(_b.c.document_sealed).where(_own_body).scalar_subquery(),
    sa.select(_b.c.notice_sealed).where(_own_body).scalar_subquery(),
]
DESTINATIONS = Statement(
    sa.select(sa.func.min(_t.c.destination)).where(
        _t.c.destination > sa.bindparam("after"), _t.c.due_at >= 0
    )
)
_taken = {
    "state": "sending",
    "due_at": None,
    "attempts": _t.c.attempts + 1,
    "claimed_by": sa.bindparam("worker"),
    "claimed_at": sa.bindparam("now"),
}
CLAIM = Statement(
    sa.update(_t)
    .where(
        _t.c.sequence.in_(
            sa.select(_t.c.sequence)
            .where(
                _t.c.destination == sa.bindparam("of_destination"),
                _t.c.due_at <= sa.bindparam("now"),
            )
            .order_by(_t.c.due_at)
            .limit(sa.bindparam("most", type_=sa.Integer))
            .with_for_update(skip_locked=True)
        )
    )
    .values(**_taken)
    .returning(*FULL)
)
# Only the one running job of the lane does this: what it finds being sent, a dead worker left.
CLAIM_LANE = Statement(
    sa.update(_t)
    .where(_lane, sa.or_(_t.c.due_at <= sa.bindparam("now"), _t.c.state == "sending"))
    .values(**_taken)
    .returning(*FULL)
)
POSTPONE = Statement(
    sa.update(_t)
    .where(_lane, _t.c.due_at >= 0)
    .values(next_at=sa.bindparam("at"), due_at=sa.bindparam("at"))
)
NEXT_DUE = Statement(
    sa.select(sa.func.min(_t.c.due_at)).where(
        _t.c.destination == sa.bindparam("of_destination"), _t.c.due_at >= 0
    )
)
_unclaimed = {"claimed_by": None, "claimed_at": None}
DELIVERED = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("row"), _t.c.state == "sending")
    .values(
        state="delivered",
        done_at=sa.bindparam("at"),
        code=None,
        error=None,
        fix=None,
        **_unclaimed,
    )
    .returning(_t.c.referral, _t.c.destination, _t.c.organization, state_of("outbox.destination"))
)
KEEP_IDS = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("row"))
    .values(external_ids_sealed=sa.bindparam("new_external_ids"))
)
RETRY = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("row"), one_of(_t.c.state, ["sending", "dead", "quarantined"]))
    .values(
        state="due",
        next_at=sa.bindparam("at"),
        due_at=sa.bindparam("at"),
        attempts=sa.func.coalesce(sa.bindparam("tries", type_=sa.Integer), _t.c.attempts),
        code=sa.bindparam("new_code"),
        error=sa.bindparam("new_error"),
        fix=sa.bindparam("new_fix"),
        **_unclaimed,
    )
)
FAIL = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("row"), one_of(_t.c.state, ["sending", "due"]))
    .values(
        state=sa.bindparam("new_state"),
        due_at=None,
        code=sa.bindparam("new_code"),
        error=sa.bindparam("new_error"),
        fix=sa.bindparam("new_fix"),
        **_unclaimed,
    )
)
DISCARD = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("row"), one_of(_t.c.state, ["due", "dead", "quarantined"]))
    .values(state="discarded", due_at=None, done_at=sa.bindparam("at"), reason=sa.bindparam("why"))
    .returning(_t.c.referral, _t.c.destination, _t.c.organization)
)
RELEASE = Statement(
    sa.update(_t)
    .where(
        _t.c.state == "sending",
        _t.c.claimed_by == sa.func.coalesce(sa.bindparam("worker", type_=sa.Text), _t.c.claimed_by),
        _t.c.claimed_at < sa.bindparam("before"),
    )
    .values(state="due", due_at=_t.c.next_at, **_unclaimed)
)
GET = Statement(sa.select(*FULL).where(_t.c.id == sa.bindparam("row")))
_page = (
    sa.select(*COLUMNS)
    .where(_t.c.sequence > sa.bindparam("after"))
    .order_by(_t.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
LIST = Statement(_page)
LIST_REFERRAL = Statement(_page.where(_t.c.referral == sa.bindparam("of_referral")))
UNCLAIM = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("row"))
    .values(state="due", due_at=_t.c.next_at, attempts=_t.c.attempts - 1, **_unclaimed)
)
HASTEN = Statement(
    sa.update(_t)
    .where(_t.c.destination == sa.bindparam("of_destination"), _t.c.due_at > sa.bindparam("now"))
    .values(
        next_at=sa.bindparam("now"),
        due_at=sa.bindparam("now"),
        attempts=sa.case((_t.c.attempts > 1, 1), else_=_t.c.attempts),
    )
)
RECALL = Statement(
    sa.update(_t)
    .where(
        _t.c.due_at > sa.bindparam("now"),
        sa.or_(
            sa.and_(_t.c.created_at > sa.bindparam("now"), _t.c.due_at == _t.c.created_at),
            sa.and_(_t.c.attempts > 0, _t.c.due_at > sa.bindparam("horizon")),
        ),
    )
    .values(next_at=sa.bindparam("now"), due_at=sa.bindparam("now"))
)
DUE = Statement(
    sa.select(_t.c.destination, sa.func.count(), sa.func.min(_t.c.due_at))
    .where(_t.c.due_at <= sa.bindparam("now"))
    .group_by(_t.c.destination)
)
LATER = Statement(
    sa.select(_t.c.destination, sa.func.count())
    .where(_t.c.due_at > sa.bindparam("now"))
    .group_by(_t.c.destination)
)
SENDING = Statement(
    sa.select(_t.c.destination, sa.func.count())
    .where(_t.c.claimed_by > "", _t.c.state == "sending")
    .group_by(_t.c.destination)
)
STUCK = Statement(
    sa.select(_t.c.destination, _t.c.state, sa.func.count())
    .where(sa.text("state IN ('dead', 'quarantined')"))
    .group_by(_t.c.destination, _t.c.state)
)
