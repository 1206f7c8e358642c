"""The audit: who saw or changed what, in the transaction that did it, chained like the journal."""

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

_t = schema.audit
CHAIN = Chain(_t)
_columns = [
    _t.c.sequence, _t.c.id, _t.c.organization, _t.c.referral, _t.c.recorded_at, _t.c.event_sealed,
]  # fmt: skip
_LIST = Statement(
    sa.select(*_columns)
    .where(_t.c.sequence > sa.bindparam("after"))
    .order_by(_t.c.sequence)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_OF = Statement(
    sa.select(*_columns).where(_t.c.referral == sa.bindparam("of_referral")).order_by(_t.c.sequence)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One audit event, with its place in the chain."""

    sequence: int
    id: str
    organization: str
    referral: str | None
    recorded: datetime
    event: dict[str, Any] = field(repr=False)


Entries = list[AuditEntry]
Problems = list[ChainProblem]
Waiting = list[Parameters]


class Audit:
    """Append and read. The database refuses everything else."""

    __slots__ = ("_session", "_waiting")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[Parameters] = []

    def append(
        self, event: dict[str, Any], *, organization: str, referral: str | None = None
    ) -> str:
        """Add an event (a FHIR AuditEvent, or any JSON object); its id.

        An audit entry outlives the person that it is about, so that it is encrypted with the
        organization's key: it must name people by reference only.
        """
        entry_id = new_id()
        place = f"audit|event|{entry_id}"
        self._waiting.append(
            {
                "id": entry_id,
                "organization": organization,
                "referral": referral,
                "event_sealed": self._session.seal_json(organization, None, place, event),
                "recorded_at": to_micros(self._session.now()),
            }
        )
        return entry_id

    def list(self, *, after: int = 0, limit: int = 1_000_000) -> list[AuditEntry]:
        """Events after a sequence, in order."""
        self.flush()
        rows = self._session.rows(_LIST, {"after": after, "most": limit})
        return [self._entry(row) for row in rows]

    def of(self, referral: str) -> Entries:
        """Every event about one referral, in order."""
        self.flush()
        rows = self._session.rows(_OF, {"of_referral": referral})
        return [self._entry(row) for row in rows]

    def verify(self) -> Problems:
        """Every place where an event was changed, removed, moved, or cut off."""
        return list(CHAIN.verify(self._session))

    def flush(self) -> None:
        """Write what waits; the writer does this just before it commits."""
        CHAIN.write(self._session, self.take())

    def take(self) -> Waiting:
        """Hand over what waits, so that a group commit may write it all at once."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def _entry(self, row: Row) -> AuditEntry:
        return AuditEntry(
            sequence=row[0], id=row[1], organization=row[2], referral=row[3],
            recorded=from_micros(row[4]),
            event=self._session.open_json(f"audit|event|{row[1]}", row[5]),
        )  # fmt: skip
