"""What people and scripts may ask of a store, in the shapes of the command line's contract."""

from __future__ import annotations

from typing import Any

from adapter.store.cases import CaseRow
from adapter.store.inbox_row import InboxRow
from adapter.store.journal import JournalEntry
from adapter.store.outbox_row import OutboxRow
from adapter.store.transaction import Transaction

Shape = dict[str, Any]


def inbox(tx: Transaction) -> list[Shape]:
    """Everything that arrived, the oldest first."""
    return [inbox_row(row) for row in tx.inbox.list()]


def inbox_row(row: InboxRow) -> Shape:
    """One message without its bytes."""
    return {
        "id": row.id,
        "site": row.site,
        "received_at": _time(row.received_at),
        "key": row.key,
        "kind": row.kind,
        "state": row.state,
        "code": row.code,
        "error": row.error,
        "fix": row.fix,
        "referral": row.referral,
    }


def referrals(tx: Transaction) -> list[Shape]:
    """Every referral, the oldest first."""
    rows = sorted(tx.cases.list(), key=lambda row: (row.received_at, row.id))
    return [referral(tx, row) for row in rows]


def referral(tx: Transaction, row: CaseRow) -> Shape:
    """One referral as it stands."""
    return {
        "id": row.id,
        "identifiers": [
            {"system": each.get("system"), "value": each.get("value")}
            for each in row.document.get("referral", {}).get("identifiers", ())
        ],
        "status": row.status,
        "test": row.test,
        "fulfilments": [
            {
                "id": each.id,
                "status": each.status,
                "business_status": each.business_status,
                "reason": each.reason_code,
                "destination": each.destination,
                "program": each.document.get("program"),
            }
            for each in tx.cases.fulfilments(row.id)
        ],
        "received_at": _time(row.received_at),
        "site": row.site,
        "erased_at": _time(row.erased_at),
    }


def journey(tx: Transaction, identity: str) -> Shape | None:
    """One referral with its journal, or None; `identity` may be the start of its id."""
    row = tx.cases.get(identity)
    if row is None:
        rows = [each for each in tx.cases.list() if each.id.startswith(identity)]
        if len(rows) != 1 or len(identity) < 4:
            return None
        row = rows[0]
    entries = tx.journal.of(row.id)
    return {
        **referral(tx, row),
        "warnings": [str(e.data["warning"]) for e in entries if e.data.get("warning")],
        "journal": [journal_entry(each) for each in entries],
    }


def journal_entry(entry: JournalEntry) -> Shape:
    """One line of a journey."""
    return {
        "sequence": entry.sequence,
        "recorded": _time(entry.recorded),
        "occurred": _time(entry.occurred),
        "actor": entry.actor,
        "site": entry.site,
        "kind": entry.kind,
        "fulfilment": entry.fulfilment,
        "data": entry.data,
    }


def deliveries(tx: Transaction) -> list[Shape]:
    """Everything that was to be delivered, the oldest first."""
    return [delivery(row) for row in tx.outbox.list()]


def delivery(row: OutboxRow) -> Shape:
    """One delivery."""
    return {
        "id": row.id,
        "referral": row.referral,
        "fulfilment": row.fulfilment,
        "destination": row.destination,
        "event": row.event,
        "kind": row.kind,
        "state": row.state,
        "attempts": row.attempts,
        "next_at": _time(row.next_at),
        "error": row.error,
        "fix": row.fix,
    }


SITE_FACTS = (
    "state", "error", "fix", "since", "polled_at", "next_poll", "poll_error", "programs_at",
    "capacity_at", "next_programs", "programs_error", "programs_fix",
)  # fmt: skip
"""What `sites` says of each, in order."""


def sites(tx: Transaction) -> dict[str, Shape]:
    """The last known state of each site, by name, and how it stands with asking for news."""
    polls = {row.site: row for row in tx.polls.list()}
    directories = {row.site: row for row in tx.directories.list()}
    found: dict[str, Shape] = {}
    for row in tx.sites.list():
        poll = polls.get(row.site)
        directory = directories.get(row.site)
        found[row.site] = {
            "state": row.state,
            "error": row.error,
            "fix": row.fix,
            "since": _time(row.since),
            "polled_at": _time(poll.polled_at) if poll else None,
            "next_poll": _time(poll.next_at) if poll else None,
            "poll_error": poll.error if poll else None,
            "programs_at": _time(directory.listed_at) if directory else None,
            "capacity_at": _time(directory.reported_at) if directory else None,
            "next_programs": _time(directory.next_at) if directory else None,
            "programs_error": directory.error if directory else None,
            "programs_fix": directory.fix if directory else None,
        }
    return found


def _time(moment: Any) -> str | None:
    return moment.isoformat(timespec="milliseconds") if moment else None
