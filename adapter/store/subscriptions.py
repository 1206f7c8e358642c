"""Subscriptions and their events: a durable queue for each, numbered without a gap.

An event is stored in the transaction of the change that it tells of. What a subscription was told
moves on only when its channel took it, so that a process that dies loses nothing.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.session import Row, Session
from adapter.store.statement import Statement, one_of
from adapter.store.times import from_micros, maybe_micros, to_micros

_t = schema.subscriptions
_e = schema.subscription_events
_columns = [
    _t.c.id, _t.c.organization, _t.c.party, _t.c.client, _t.c.topic, _t.c.state, _t.c.events,
    _t.c.delivered, _t.c.failures, _t.c.heartbeat, _t.c.error,
]  # fmt: skip
_of = _t.c.id == sa.bindparam("of_id")
_ADD = Statement(
    lambda dialect: dialect.insert(_t).values({c.name: sa.bindparam(c.name) for c in _t.columns})
)
_GET = Statement(sa.select(*_columns).where(_of))
_LISTENING = Statement(
    sa.select(*_columns).where(
        _t.c.topic == sa.bindparam("of_topic"),
        one_of(_t.c.state, ("active", "error", "requested")),
    )
)
_DUE = Statement(
    sa.select(*_columns)
    .where(_t.c.due_at <= sa.bindparam("now"), _t.c.leased_until <= sa.bindparam("now"))
    .order_by(_t.c.due_at)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_LEASE = Statement(
    sa.update(_t)
    .where(_of, _t.c.leased_until <= sa.bindparam("now"))
    .values(leased_until=sa.bindparam("until"))
)
_COUNT_UP = Statement(
    sa.update(_t).where(_of).values(events=_t.c.events + 1, due_at=sa.bindparam("due"))
)
_NUMBER = Statement(sa.select(_t.c.events, _t.c.state, _t.c.failures, _t.c.due_at).where(_of))
_EVENT = Statement(
    lambda dialect: dialect.insert(_e).values({c.name: sa.bindparam(c.name) for c in _e.columns})
)
_EVENTS = Statement(
    sa.select(_e.c.number, _e.c.type, _e.c.id, _e.c.version, _e.c.at)
    .where(
        _e.c.subscription == sa.bindparam("of_id"),
        _e.c.number >= sa.bindparam("low"),
        _e.c.number <= sa.bindparam("high"),
    )
    .order_by(_e.c.number)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_SET = Statement(
    sa.update(_t)
    .where(_of)
    .values(
        state=sa.bindparam("state"),
        delivered=sa.bindparam("delivered"),
        failures=sa.bindparam("failures"),
        heartbeat=sa.bindparam("heartbeat"),
        due_at=sa.bindparam("due"),
        leased_until=0,
        error=sa.bindparam("error"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionRow:
    """How one subscription stands.

    Attributes:
        party, client: whose it is; None where anybody may use the API.
        state: requested, active, error or off.
        events: the number of the last event; delivered: of the last that its channel took.
        failures: in a row. heartbeat: seconds between signs of life, or None.
    """

    id: str
    organization: str
    party: str | None
    client: str | None
    topic: str
    state: str
    events: int
    delivered: int
    failures: int
    heartbeat: int | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One event: its number, and what changed when."""

    number: int
    type: str
    id: str
    version: int
    at: datetime


class Subscriptions:
    """Add, tell, claim and mark."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        id: str,
        *,
        organization: str,
        party: str | None,
        client: str | None,
        topic: str,
        heartbeat: int | None,
    ) -> None:
        """A new subscription, requested; its handshake is due at once."""
        self._session.run(
            _ADD,
            {
                "id": id,
                "organization": organization,
                "party": party,
                "client": client,
                "topic": topic,
                "state": "requested",
                "events": 0,
                "delivered": 0,
                "failures": 0,
                "heartbeat": heartbeat,
                "due_at": to_micros(self._session.now()),
                "leased_until": 0,
                "error": None,
            },
        )

    def get(self, id: str) -> SubscriptionRow | None:
        """How one stands."""
        row = self._session.row(_GET, {"of_id": id})
        return None if row is None else _row(row)

    def listening(self, topic: str) -> list[SubscriptionRow]:
        """Every subscription to a topic that counts events."""
        return [_row(row) for row in self._session.rows(_LISTENING, {"of_topic": topic})]

    def tell(self, row: SubscriptionRow, type: str, id: str, version: int) -> None:
        """One more event, due at once unless its channel is failing."""
        now = to_micros(self._session.now())
        before = self._session.row(_NUMBER, {"of_id": row.id})
        if before is None:
            return
        free = before[1] == "active" and not before[2]
        due = now if free else before[3]
        self._session.run(_COUNT_UP, {"of_id": row.id, "due": due})
        event: dict[str, Any] = {
            "subscription": row.id,
            "number": before[0] + 1,
            "organization": row.organization,
            "type": type,
            "id": id,
            "version": version,
            "at": now,
        }
        self._session.run(_EVENT, event)

    def any_due(self) -> bool:
        """True if something is due; asks, and claims nothing."""
        now = to_micros(self._session.now())
        return bool(self._session.rows(_DUE, {"now": now, "most": 1}))

    def claim_due(self, *, until: datetime, limit: int) -> list[SubscriptionRow]:
        """Those that something is due for, leased to the caller until a moment."""
        now = to_micros(self._session.now())
        found = self._session.rows(_DUE, {"now": now, "most": limit})
        lease = {"now": now, "until": to_micros(until)}
        return [_row(row) for row in found if self._session.run(_LEASE, lease | {"of_id": row[0]})]

    def mark(
        self,
        row: SubscriptionRow,
        *,
        state: str,
        delivered: int,
        failures: int,
        due: datetime | None,
        error: str | None = None,
        heartbeat: int | None = None,
    ) -> None:
        """What came of it; the lease ends."""
        self._session.run(
            _SET,
            {
                "of_id": row.id,
                "state": state,
                "delivered": delivered,
                "failures": failures,
                "heartbeat": row.heartbeat if heartbeat is None else heartbeat,
                "due": maybe_micros(due),
                "error": error,
            },
        )

    def events(self, id: str, low: int, high: int, *, limit: int = 1000) -> builtins.list[EventRow]:
        """Events from one number to another, in order."""
        wanted = {"of_id": id, "low": low, "high": high, "most": limit}
        return [
            EventRow(number=r[0], type=r[1], id=r[2], version=r[3], at=from_micros(r[4]))
            for r in self._session.rows(_EVENTS, wanted)
        ]


def _row(row: Row) -> SubscriptionRow:
    return SubscriptionRow(
        id=row[0], organization=row[1], party=row[2], client=row[3], topic=row[4], state=row[5],
        events=row[6], delivered=row[7], failures=row[8], heartbeat=row[9], error=row[10],
    )  # fmt: skip
