"""Whether a store is sound: its file, its chains, its keys, its queue. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import sqlalchemy as sa

from adapter.plugin.errors import AdapterError
from adapter.plugin.messages import Check
from adapter.store import audit, journal, lane_jobs, schema
from adapter.store.chain import Chain
from adapter.store.lane_locks import OPEN
from adapter.store.paging import pages
from adapter.store.sealing import wrap_place
from adapter.store.session import Session
from adapter.store.statement import Statement, one_of
from adapter.store.store import Store
from adapter.store.transaction import Transaction

_RESTORE = "Keep this store aside, and restore the newest backup with `adapter db restore`."
_COUNTS = {
    name: Statement(sa.select(sa.func.count()).select_from(table))
    for name, table in schema.metadata.tables.items()
}
_o = schema.outbox
_before = _o.alias()
_behind_another = sa.exists().where(
    _before.c.referral == _o.c.referral,
    _before.c.destination == _o.c.destination,
    _before.c.lane_sequence < _o.c.lane_sequence,
    one_of(_before.c.state, OPEN),
)
_many = sa.select(sa.func.count()).select_from(_o)
_STUCK = Statement(_many.where(_o.c.state == "due", _o.c.due_at.is_(None), ~_behind_another))
_OVERTAKING = Statement(
    _many.where(sa.or_(_o.c.due_at.is_not(None), _o.c.state == "sending"), _behind_another)
)
_OPEN_LANES = Statement(
    sa.select(_o.c.referral, _o.c.destination, sa.func.count())
    .where(one_of(_o.c.state, OPEN))
    .group_by(_o.c.referral, _o.c.destination)
)
_WITHOUT_BODY = {
    table.name: Statement(
        sa.select(sa.func.count())
        .select_from(table.outerjoin(bodies, bodies.c.sequence == table.c.sequence))
        .where(bodies.c.sequence.is_(None))
    )
    for table, bodies in (
        (schema.inbox, schema.inbox_bodies),
        (schema.outbox, schema.outbox_bodies),
    )
}


def check(store: Store) -> list[Check]:
    """Every finding; the store is sound if none has the state ``fail``.

    Raises:
        StoreError: the store cannot be read at all.
    """
    return store.read_now(lambda tx: list(_findings(tx)))


def counts(tx: Transaction) -> dict[str, int]:
    """How many rows each table has."""
    return {name: _number(tx.session, statement) for name, statement in _COUNTS.items()}


def open_lanes(tx: Transaction) -> dict[tuple[str, str], int]:
    """How many deliveries each lane has that are neither delivered nor discarded."""
    return {(row[0], row[1]): row[2] for row in tx.session.rows(_OPEN_LANES, {})}


def _findings(tx: Transaction) -> Iterator[Check]:
    session = tx.session
    yield session.integrity()
    for chain in (journal.CHAIN, audit.CHAIN):
        yield _chain(session, chain)
    yield _data_keys(session)
    for name, statement in _WITHOUT_BODY.items():
        yield _finding(f"{name}-bodies", _number(session, statement), "rows have lost their bytes")
    yield _finding("lanes", _number(session, _STUCK), "lanes would never go on")
    yield _finding("order", _number(session, _OVERTAKING), "deliveries would overtake another")
    if session.shared:
        yield _jobs(tx)
    rows = sum(counts(tx).values())
    yield Check(name="counts", state="ok", detail=f"{rows} rows in {len(_COUNTS)} tables")


def _chain(session: Session, chain: Chain) -> Check:
    problems = list(chain.verify(session))
    if not problems:
        detail = f"{chain.head(session).sequence} entries hold"
        return Check(name=chain.name, state="ok", detail=detail)
    first = problems[0]
    detail = f"{len(problems)} problems, the first: entry {first.sequence} {first.what}"
    return Check(name=chain.name, state="fail", detail=detail, fix=_RESTORE)


def _jobs(tx: Transaction) -> Check:
    """Whether every lane that is due has a job; the workers see to that each second."""
    found = lane_jobs.lacking(tx, tx.now() - timedelta(minutes=1))
    if not found:
        return Check(name="jobs", state="ok", detail="every due lane has its job")
    return Check(
        name="jobs",
        state="warn",
        detail=f"{found} lanes have been due for more than a minute, and have no job",
        fix="Start a worker: `adapter serve` or `adapter worker`; it sees to that within seconds.",
    )


def _data_keys(session: Session) -> Check:
    total = broken = 0
    for rows in pages(session, schema.data_keys):
        for row in rows:
            key_id, wrapped = bytes(row[0]), row[4]
            if wrapped is not None:
                total += 1
                broken += not _opens(session, wrapped, key_id)
    if not broken:
        return Check(name="keys", state="ok", detail=f"{total} data keys open")
    return Check(
        name="keys",
        state="fail",
        detail=f"{broken} of {total} data keys do not open with this keyring",
        fix="Put the keys that are missing back into the keyring.",
    )


def _opens(session: Session, wrapped: bytes, key_id: bytes) -> bool:
    try:
        session.keyring.open(wrapped, wrap_place(key_id))
    except AdapterError:
        return False
    return True


def _finding(name: str, problems: int, said: str) -> Check:
    if problems:
        return Check(name=name, state="fail", detail=f"{problems} {said}", fix=_RESTORE)
    return Check(name=name, state="ok")


def _number(session: Session, statement: Statement) -> int:
    row = session.row(statement, {})
    return int(row[0]) if row else 0
