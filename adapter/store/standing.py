"""How much waits and how much is stuck, read from indexes that are as small as the queue."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from adapter.store import outbox_statements as statements
from adapter.store.times import from_micros, to_micros
from adapter.store.transaction import Transaction

Numbers = Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Numbers at one moment.

    Attributes:
        lanes: by (destination, state): lanes that are ``due``, ``waiting`` for a later time, or
            ``sending``; and deliveries that are ``dead`` or ``quarantined``: each holds a lane.
        due_since: by destination, since when its oldest due lane has been due.
        inbox: by site, accepted messages that nothing was done with yet.
        sites: the state of each site.
    """

    lanes: Numbers
    due_since: dict[str, datetime] = field(default_factory=dict)
    inbox: dict[str, int] = field(default_factory=dict)
    sites: dict[str, str] = field(default_factory=dict)


def standing(tx: Transaction) -> Standing:
    """The numbers now."""
    now = {"now": to_micros(tx.now())}
    lanes: Numbers = Counter()
    due_since: dict[str, datetime] = {}
    for destination, count, oldest in tx.session.rows(statements.DUE, now):
        lanes[destination, "due"] = count
        due_since[destination] = from_micros(oldest)
    for destination, count in tx.session.rows(statements.LATER, now):
        lanes[destination, "waiting"] = count
    for destination, count in tx.session.rows(statements.SENDING, {}):
        lanes[destination, "sending"] = count
    for destination, state, count in tx.session.rows(statements.STUCK, {}):
        lanes[destination, state] = count
    return Standing(
        lanes=lanes,
        due_since=due_since,
        inbox=tx.inbox.waiting(),
        sites={each.site: each.state for each in tx.sites.list()},
    )
