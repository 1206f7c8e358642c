"""Erase a person: their data keys are destroyed, and what is not encrypted about them is blanked.

The journal and the audit stay, unreadable where they speak about the person, so that their chains
hold and it remains known that something was there. A backup that was made before still holds the
keys: it becomes unreadable when the key of the keyring that it was made under is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.errors import missing
from adapter.store.lane_locks import OPEN
from adapter.store.session import Session
from adapter.store.statement import Statement, one_of
from adapter.store.store import Store
from adapter.store.times import to_micros
from adapter.store.transaction import Transaction

_of = sa.bindparam("of_referral", type_=sa.Text)
_at = sa.bindparam("at", type_=sa.BigInteger)
_k, _c, _f, _i, _o = (
    schema.data_keys, schema.cases, schema.fulfilments, schema.inbox, schema.outbox,
)  # fmt: skip
_r = schema.resources


def _bodies(bodies: sa.Table, rows: sa.Table, **blank: Any) -> Statement:
    mine = sa.select(rows.c.sequence).where(rows.c.referral == _of)
    return Statement(sa.update(bodies).where(bodies.c.sequence.in_(mine)).values(**blank))


_STEPS = (
    Statement(sa.update(_k).where(_k.c.owner == _of).values(wrapped=None, destroyed_at=_at)),
    Statement(
        sa.update(_c)
        .where(_c.c.id == _of)
        .values(document_sealed=None, erased_at=_at, version=_c.c.version + 1)
    ),
    Statement(
        sa.update(_f)
        .where(_f.c.referral == _of)
        .values(document_sealed=None, version=_f.c.version + 1)
    ),
    _bodies(schema.inbox_bodies, _i, raw_sealed=None, answer_sealed=None),
    Statement(sa.update(_i).where(_i.c.referral == _of).values(key_sealed=None)),
    _bodies(schema.outbox_bodies, _o, document_sealed=None, notice_sealed=None),
    Statement(
        sa.update(_o)
        .where(_o.c.referral == _of, one_of(_o.c.state, OPEN))
        .values(
            state="discarded",
            due_at=None,
            done_at=_at,
            reason="erased",
            claimed_by=None,
            claimed_at=None,
        )
    ),
    Statement(sa.update(_o).where(_o.c.referral == _of).values(external_ids_sealed=None)),
    Statement(
        sa.delete(schema.identifiers).where(
            sa.or_(
                schema.identifiers.c.owner_id == _of,
                schema.identifiers.c.owner_id.in_(sa.select(_f.c.id).where(_f.c.referral == _of)),
            )
        )
    ),
    Statement(
        sa.delete(schema.resource_keys).where(
            sa.tuple_(schema.resource_keys.c.type, schema.resource_keys.c.id).in_(
                sa.select(_r.c.type, _r.c.id).where(_r.c.referral == _of)
            )
        )
    ),
    Statement(
        sa.update(_r)
        .where(_r.c.referral == _of)
        .values(
            content_sealed=None,
            content_hash=None,
            subject=None,
            code=None,
            date=None,
            status=None,
            deleted=True,
        )
    ),
)


def erase(
    store: Store,
    referrals: Sequence[str],
    *,
    actor: str,
    reason: str,
    event: Callable[[str, datetime], dict[str, Any]] | None = None,
) -> None:
    """Make everything about these referrals unreadable in one transaction, and journal that.

    `event` makes the audit event of a referral's erasure, from its id and the time.

    `referrals` are all those of one person. What is just being sent cannot be called back.

    Raises:
        StoreError: one of them is not there; then none is erased.
    """
    store.write_now(lambda tx: _erase(tx, referrals, actor, reason, event))
    store.keys.forget()
    store.scrub()


def _erase(
    tx: Transaction,
    referrals: Sequence[str],
    actor: str,
    reason: str,
    event: Callable[[str, datetime], dict[str, Any]] | None,
) -> None:
    for referral in referrals:
        organization = _organization(tx.session, referral)
        for step in _STEPS:
            tx.session.run(step, {"of_referral": referral, "at": to_micros(tx.now())})
        tx.journal.append(
            organization=organization, referral=None, actor=actor, kind="erased",
            data={"referral": referral, "reason": reason},
        )  # fmt: skip
        if event is not None:
            tx.audit.append(event(referral, tx.now()), organization=organization, referral=referral)


_message = sa.bindparam("of_message", type_=sa.Text)
_MESSAGE_STEPS = (
    Statement(
        sa.update(schema.inbox_bodies)
        .where(
            schema.inbox_bodies.c.sequence.in_(sa.select(_i.c.sequence).where(_i.c.id == _message))
        )
        .values(raw_sealed=None, answer_sealed=None)
    ),
    Statement(sa.update(_i).where(_i.c.id == _message).values(key_sealed=None)),
)


def blank_message(session: Session, identity: str) -> None:
    """Blank a message that belongs to no referral: its bytes, its answer, its sender's id of it.

    It has no data key of its own. A backup that was made before holds it, as long as the key is
    there that the backup was made under. What calls this scrubs the store after the commit.
    """
    for step in _MESSAGE_STEPS:
        session.run(step, {"of_message": identity})


_ORGANIZATION = Statement(sa.select(_c.c.organization).where(_c.c.id == _of))


def _organization(session: Session, referral: str) -> str:
    row = session.row(_ORGANIZATION, {"of_referral": referral})
    if row is None:
        raise missing("referral", referral)
    return str(row[0])
