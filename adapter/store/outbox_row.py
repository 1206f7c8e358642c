"""One delivery of the outbox, and how what the database gives becomes one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from adapter.store.session import Row, Session
from adapter.store.times import from_micros, maybe_time, to_micros

State = Literal["due", "sending", "delivered", "waiting", "dead", "quarantined", "discarded"]
Lane = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """One delivery. `document`, `notice` and `external_ids` are empty in lists.

    `state` is ``waiting`` where the row is due later, or stands behind another in its lane.
    `attempts` counts the one under way.
    """

    sequence: int
    id: str
    organization: str
    referral: str
    fulfilment: str | None
    destination: str
    lane_sequence: int
    event: str
    kind: str
    test: bool
    state: State
    attempts: int
    created_at: datetime
    next_at: datetime
    done_at: datetime | None
    code: str | None
    error: str | None
    fix: str | None
    reason: str | None
    document: dict[str, Any] = field(repr=False)
    notice: dict[str, Any] | None = field(repr=False)
    external_ids: dict[str, str] = field(repr=False)

    @property
    def lane(self) -> Lane:
        """What delivers in order."""
        return self.referral, self.destination


def listed(row: Row, now: int) -> OutboxRow:
    """A row of `adapter.store.outbox_statements.COLUMNS`, or of more, as it stands at a time."""
    state = row[10]
    if state == "due" and (row[14] is None or row[14] > now):
        state = "waiting"
    return OutboxRow(
        sequence=row[0], id=row[1], organization=row[2], referral=row[3], fulfilment=row[4],
        destination=row[5], lane_sequence=row[6], event=row[7], kind=row[8],
        test=bool(row[9]), state=state, attempts=row[11], created_at=from_micros(row[12]),
        next_at=from_micros(row[13]), done_at=maybe_time(row[15]), code=row[16],
        error=row[17], fix=row[18], reason=row[19], document={}, notice=None, external_ids={},
    )  # fmt: skip


def opened(session: Session, row: Row) -> OutboxRow:
    """A row of `adapter.store.outbox_statements.FULL`, with what is sealed in it.

    Raises:
        AdapterError: it cannot be opened, or the store cannot be read.
    """
    plain = session.open_json
    return replace(
        listed(row, to_micros(session.now())),
        document=plain(f"outbox|document|{row[1]}", row[21]) or {},
        notice=plain(f"outbox|notice|{row[1]}", row[22]),
        external_ids=plain(f"outbox|external_ids|{row[1]}", row[20]) or {},
    )
