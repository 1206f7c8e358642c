"""The journal: everything that happened, in order, never changed. State is a projection of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.chain import Chain, ChainProblem
from adapter.store.ids import new_id
from adapter.store.session import Parameters, Row, Session
from adapter.store.statement import Statement
from adapter.store.times import from_micros, to_micros

_t = schema.journal
CHAIN = Chain(_t)
_columns = [
    _t.c.sequence, _t.c.id, _t.c.organization, _t.c.referral, _t.c.fulfilment, _t.c.inbox,
    _t.c.actor, _t.c.site, _t.c.kind, _t.c.occurred_at, _t.c.recorded_at, _t.c.data_sealed,
]  # fmt: skip
_OF = Statement(
    sa.select(*_columns).where(_t.c.referral == sa.bindparam("of_referral")).order_by(_t.c.sequence)
)
_AFTER = Statement(
    sa.select(*_columns)
    .where(_t.c.sequence > sa.bindparam("after"))
    .order_by(_t.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_NEWEST = Statement(sa.select(_t.c.recorded_at).order_by(_t.c.sequence.desc()).limit(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One thing that happened; `occurred` is when it did, `recorded` when we knew.

    `data` is empty where the person was `erased`.
    """

    sequence: int
    id: str
    organization: str
    referral: str | None
    fulfilment: str | None
    inbox: str | None
    actor: str
    site: str | None
    kind: str
    occurred: datetime
    recorded: datetime
    erased: bool = False
    data: dict[str, Any] = field(repr=False)


class Journal:
    """Append and read. The database refuses everything else."""

    __slots__ = ("_session", "_waiting")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[Parameters] = []

    def append(
        self,
        *,
        organization: str,
        actor: str,
        kind: str,
        data: dict[str, Any],
        referral: str | None = None,
        fulfilment: str | None = None,
        inbox: str | None = None,
        site: str | None = None,
        occurred: datetime | None = None,
    ) -> str:
        """Add an entry; its id. Its sequence is given, and its link made, at the commit.

        `data` is JSON, encrypted with the referral's key. Without `occurred` it happened now.
        """
        entry_id, now = new_id(), self._session.now()
        place = f"journal|data|{entry_id}"
        self._waiting.append(
            {
                "id": entry_id,
                "organization": organization,
                "referral": referral,
                "fulfilment": fulfilment,
                "inbox": inbox,
                "actor": actor,
                "site": site,
                "kind": kind,
                "data_sealed": self._session.seal_json(organization, referral, place, data),
                "occurred_at": to_micros(occurred or now),
                "recorded_at": to_micros(now),
            }
        )
        return entry_id

    def of(self, referral: str) -> list[JournalEntry]:
        """Everything about a referral, in the order in which it was recorded."""
        self.flush()
        rows = self._session.rows(_OF, {"of_referral": referral})
        return [self._entry(row) for row in rows]

    def newest(self) -> datetime | None:
        """When the last entry was recorded, or None if there is none."""
        row = self._session.row(_NEWEST, {})
        return None if row is None else from_micros(row[0])

    def after(self, sequence: int, limit: int) -> list[JournalEntry]:
        """Up to `limit` entries of every referral after a sequence."""
        self.flush()
        rows = self._session.rows(_AFTER, {"after": sequence, "most": limit})
        return [self._entry(row) for row in rows]

    def verify(self) -> list[ChainProblem]:
        """Every place where an entry was changed, removed, moved, or cut off."""
        return list(CHAIN.verify(self._session))

    def flush(self) -> None:
        """Write what waits; the writer does this just before it commits."""
        CHAIN.write(self._session, self.take())

    def take(self) -> list[Parameters]:
        """Hand over what waits, so that a group commit may write it all at once."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def _entry(self, row: Row) -> JournalEntry:
        data = self._session.open_json_unless_erased(f"journal|data|{row[1]}", row[11])
        return JournalEntry(
            sequence=row[0], id=row[1], organization=row[2], referral=row[3], fulfilment=row[4],
            inbox=row[5], actor=row[6], site=row[7], kind=row[8], occurred=from_micros(row[9]),
            recorded=from_micros(row[10]),
            erased=data is None,
            data=data or {},
        )  # fmt: skip
