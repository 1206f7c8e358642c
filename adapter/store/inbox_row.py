"""One message of the inbox: as it is offered, as it is known by its key, as it stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from adapter.store.session import Row, Session
from adapter.store.times import from_micros, maybe_time

State = Literal["accepted", "refused", "quarantined", "discarded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """One message as it arrived. `raw` and `answer` are empty in lists.

    Attributes:
        key: the sender's own id of the message, or None where a refused message had none.
        state: as people see it; a message that was worked on stays ``accepted``.
        processed: False while an accepted message waits for the engine.
    """

    sequence: int
    id: str
    organization: str
    site: str
    key: str | None
    format: str
    kind: str | None
    dialect: str | None
    test: bool
    state: State
    processed: bool
    code: str | None
    error: str | None
    fix: str | None
    referral: str | None
    received_at: datetime
    done_at: datetime | None
    raw: bytes = field(default=b"", repr=False)
    answer: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A message that came to a site, to be accepted once under its key."""

    site: str
    key: str
    format: str
    kind: str | None
    dialect: str | None
    test: bool
    raw: bytes = field(repr=False)
    answer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a key at a site: compare `content_hash` with `Inbox.content_hash`."""

    id: str
    content_hash: bytes = field(repr=False)
    answer: bytes = field(repr=False)
    state: State


def opened(session: Session, row: Row) -> InboxRow:
    """A row of `adapter.store.inbox_statements` that ends with message and answer, sealed."""
    raw = session.open(f"inbox|raw|{row[1]}", row[-2])
    answer = session.open(f"inbox|answer|{row[1]}", row[-1])
    return listed(session, row[:-2], raw, answer)


def listed(session: Session, row: Row, raw: bytes = b"", answer: bytes = b"") -> InboxRow:
    """A row as it stands in lists."""
    sealed = row[4]
    key = None if sealed is None else session.open(f"inbox|key|{row[1]}", sealed).decode()
    return InboxRow(
        sequence=row[0], id=row[1], organization=row[2], site=row[3], key=key, format=row[5],
        kind=row[6], dialect=row[7], test=bool(row[8]), state=row[9],
        processed=row[10] is None, code=row[11], error=row[12], fix=row[13], referral=row[14],
        received_at=from_micros(row[15]), done_at=maybe_time(row[16]), raw=raw, answer=answer,
    )  # fmt: skip
