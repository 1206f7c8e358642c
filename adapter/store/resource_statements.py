"""The queries of the resources; `adapter.store.resources` says what they are for."""

from __future__ import annotations

from functools import lru_cache

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.statement import Statement, insert_new, places

_t = schema.resources
_k = schema.resource_keys
_p = schema.parties
COLUMNS = [
    _t.c.type, _t.c.id, _t.c.version, _t.c.organization, _t.c.referral, _t.c.last_updated,
    _t.c.deleted, _t.c.content_sealed,
]  # fmt: skip
ADD = insert_new(_t)
ADD_KEY = insert_new(_k)
SUPERSEDE = Statement(
    sa.update(_t)
    .where(
        _t.c.id == sa.bindparam("of_id"),
        _t.c.type == sa.bindparam("of_type"),
        _t.c.version == sa.bindparam("of_version"),
    )
    .values(current=None)
)
PLACES = (1, 4, 16, 64)
VERSIONS = {
    size: Statement(
        sa.select(_t.c.type, _t.c.id, _t.c.version, _t.c.content_hash).where(
            _t.c.id.in_(places(size)), _t.c.current > 0
        )
    )
    for size in PLACES
}
NEWEST = {
    size: Statement(
        sa.select(*COLUMNS, _t.c.content_hash).where(_t.c.id.in_(places(size)), _t.c.current > 0)
    )
    for size in PLACES
}
_one = sa.select(*COLUMNS).where(
    _t.c.id == sa.bindparam("of_id"), _t.c.type == sa.bindparam("of_type")
)
CURRENT = Statement(_one.where(_t.c.current > 0))
VERSION = Statement(_one.where(_t.c.version == sa.bindparam("of_version")))
_later = _t.alias()
SUPERSEDED = Statement(
    sa.select(_t.c.sequence, *COLUMNS)
    .join(
        _later,
        sa.and_(
            _later.c.id == _t.c.id,
            _later.c.type == _t.c.type,
            _later.c.version == _t.c.version + 1,
        ),
    )
    .where(
        _later.c.type == sa.bindparam("of_type"),
        _later.c.sequence > sa.bindparam("since", type_=sa.BigInteger),
        _t.c.sequence <= sa.bindparam("since", type_=sa.BigInteger),
        _t.c.deleted.is_(False),
    )
)
HISTORY = Statement(_one.order_by(_t.c.version.desc()))


@lru_cache(maxsize=256)
def searching(
    given: tuple[str, ...], newest_first: bool = False, versions: bool = False
) -> Statement:
    """The query for one combination of filters; a new combination is compiled once."""
    conditions = {
        "by_organization": _t.c.organization == sa.bindparam("by_organization"),
        "by_status": _t.c.status == sa.bindparam("by_status"),
        "by_code": _t.c.code == sa.bindparam("by_code"),
        "by_subject": _t.c.subject == sa.bindparam("by_subject"),
        "by_date_from": _t.c.date >= sa.bindparam("by_date_from"),
        "by_date_before": _t.c.date < sa.bindparam("by_date_before"),
        "by_updated_from": _t.c.last_updated >= sa.bindparam("by_updated_from"),
        "by_updated_before": _t.c.last_updated < sa.bindparam("by_updated_before"),
        "by_party": sa.exists().where(
            _p.c.party == sa.bindparam("by_party"),
            sa.or_(_p.c.id == _t.c.id, _p.c.id == _t.c.referral),
        ),
    }
    after = sa.bindparam("after", type_=sa.BigInteger)
    query = (
        sa.select(_t.c.sequence, *COLUMNS)
        .where(
            _t.c.type == sa.bindparam("of_type"),
            sa.true() if versions else _t.c.current > 0,
            _t.c.sequence < after if newest_first else _t.c.sequence > after,
            _t.c.deleted.is_(False),
        )
        .order_by(_t.c.sequence.desc() if newest_first else _t.c.sequence)
        .limit(sa.bindparam("most", type_=sa.Integer))
    )
    for name in given:
        if name in conditions:
            query = query.where(conditions[name])
            continue
        alias = _k.alias()
        query = query.join(
            alias,
            sa.and_(
                alias.c.key == sa.bindparam(name, type_=sa.LargeBinary),
                alias.c.id == _t.c.id,
                alias.c.type == _t.c.type,
            ),
        )
    return Statement(query)
