"""Small works that the store's tests share. All people and identifiers are synthetic."""

from __future__ import annotations

from typing import Any

from adapter.store.ids import new_id
from adapter.store.inbox_row import InboxRow
from adapter.store.transaction import Transaction

ORGANIZATION = "maple-clinic"


def receive(
    tx: Transaction, key: str, raw: bytes = b"MSH|synthetic", site: str = "clinic"
) -> InboxRow:
    """One accepted message with its journal entry: what a receipt commits."""
    row = tx.inbox.add(
        organization=ORGANIZATION, site=site, key=key, format="hl7v2", kind="REF^I12", raw=raw,
        answer=b"MSA|AA",
    )  # fmt: skip
    tx.journal.append(
        organization=ORGANIZATION, actor="requester", kind="received", data={"key": key},
        inbox=row.id, site=site,
    )  # fmt: skip
    return row


def open_case(tx: Transaction, document: dict[str, Any] | None = None) -> str:
    """A new referral; its id."""
    referral = new_id()
    tx.cases.add(
        id=referral, organization=ORGANIZATION, site="clinic", status="active", test=True,
        document=document or {"id": referral}, received_at=tx.now(),
    )  # fmt: skip
    return referral


def queue(
    tx: Transaction, referral: str, destination: str = "agency", event: str = "request"
) -> str:
    """One delivery; its id."""
    return tx.outbox.add(
        organization=ORGANIZATION, referral=referral, destination=destination, event=event,
        kind="", document={"event": event}, notice={"reference": "rx-1"}, test=True,
    )  # fmt: skip
