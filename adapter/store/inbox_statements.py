"""The queries of the inbox; `adapter.store.inbox` says what they are for."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.statement import Statement, insert_all, one_of

_t = schema.inbox
_b = schema.inbox_bodies
_OFFERED = (
    "id", "organization", "site", "key_hash", "key_sealed", "content_hash", "format", "kind",
    "dialect", "test", "received_at",
)  # fmt: skip
_UNTOUCHED: dict[str, Any] = {
    "state": sa.literal_column("'accepted'"),
    "pending": sa.literal_column("1"),
}
ADD = Statement(
    lambda dialect: (
        dialect.insert(_t)
        .values({c.name: sa.bindparam(c.name) for c in _t.columns if c.name != "sequence"})
        .on_conflict_do_nothing()
        .returning(_t.c.sequence)
    )
)
ADD_BODY = insert_all(_b)
# Many messages go in by two statements, however many they are. Where each row's number stands is
# asked by its id, because a statement that is run for many rows gives none back.
OFFER = Statement(
    lambda dialect: (
        dialect.insert(_t)
        .values({name: sa.bindparam(name) for name in _OFFERED} | _UNTOUCHED)
        .on_conflict_do_nothing()
    )
)
OFFER_BODY = Statement(
    sa.insert(_b).from_select(
        [c.name for c in _b.columns],
        sa.select(
            _t.c.sequence,
            sa.bindparam("organization", type_=sa.Text),
            sa.bindparam("raw_sealed", type_=sa.LargeBinary),
            sa.bindparam("answer_sealed", type_=sa.LargeBinary),
        ).where(_t.c.id == sa.bindparam("of_id")),
    )
)
FIND = Statement(
    sa.select(_t.c.id, _t.c.content_hash, _b.c.answer_sealed, _t.c.state)
    .join(_b, _b.c.sequence == _t.c.sequence)
    .where(_t.c.site == sa.bindparam("of_site"), _t.c.key_hash == sa.bindparam("of_key"))
)
_LISTED = [
    _t.c.sequence, _t.c.id, _t.c.organization, _t.c.site, _t.c.key_sealed, _t.c.format, _t.c.kind,
    _t.c.dialect, _t.c.test, _t.c.state, _t.c.pending, _t.c.code, _t.c.error, _t.c.fix,
    _t.c.referral, _t.c.received_at, _t.c.done_at,
]  # fmt: skip
_full = sa.select(*_LISTED, _b.c.raw_sealed, _b.c.answer_sealed).join(
    _b, _b.c.sequence == _t.c.sequence
)
NEXT = Statement(
    _full.where(_t.c.site == sa.bindparam("of_site"), _t.c.pending > 0)
    .order_by(_t.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
NEXT_IDS = Statement(
    sa.select(_t.c.id)
    .where(_t.c.site == sa.bindparam("of_site"), _t.c.pending > 0)
    .order_by(_t.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
PENDING_SITES = Statement(sa.select(_t.c.site).where(_t.c.pending > 0).distinct())
WAITING = Statement(
    sa.select(_t.c.site, sa.func.count()).where(_t.c.pending > 0).group_by(_t.c.site)
)
MARK = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("row"))
    .values(
        state=sa.bindparam("new_state"),
        pending=None,
        code=sa.bindparam("new_code"),
        error=sa.bindparam("new_error"),
        fix=sa.bindparam("new_fix"),
        referral=sa.func.coalesce(sa.bindparam("new_referral", type_=sa.Text), _t.c.referral),
        done_at=sa.bindparam("at"),
    )
)
TAKE = Statement(
    sa.select(_t.c.sequence)
    .where(_t.c.id == sa.bindparam("row"), _t.c.pending > 0)
    .with_for_update()
)
HOLD = Statement(sa.select(_t.c.sequence).where(_t.c.id == sa.bindparam("row")).with_for_update())
REPLAY = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("row"), one_of(_t.c.state, ["quarantined", "accepted"]))
    .values(state="accepted", pending=1, code=None, error=None, fix=None, done_at=None)
)
GET = Statement(_full.where(_t.c.id == sa.bindparam("row")))
LIST = Statement(
    sa.select(*_LISTED)
    .where(_t.c.sequence > sa.bindparam("after"))
    .order_by(_t.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
LIST_STATE = Statement(
    sa.select(*_LISTED)
    .where(_t.c.sequence > sa.bindparam("after"), _t.c.state == sa.bindparam("of_state"))
    .order_by(_t.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
