"""What an operator may do about messages and deliveries that are stuck: each act is journaled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from adapter.plugin.errors import DataError
from adapter.store.inbox import InboxRow
from adapter.store.outbox import OutboxRow
from adapter.store.transaction import Transaction

OPERATOR = "operator"


def replay(tx: Transaction, identity: str) -> InboxRow:
    """Let the engine take a quarantined message again, in its old place.

    Raises:
        DataError: there is no such message, or it is not quarantined.
    """
    row = _message(tx, identity)
    if row.state != "quarantined":
        raise DataError(
            "inbox.not-quarantined",
            f"the message is {row.state}; only a quarantined one can be replayed",
            fix="See the states with: adapter inbox list",
        )
    tx.inbox.replay(row.id)
    _journal(tx, row.organization, row.site, "message.replayed", inbox=row.id)
    return row


def discard_message(tx: Transaction, identity: str, reason: str) -> InboxRow:
    """Set a quarantined message aside for good; its bytes stay.

    Raises:
        DataError: there is no such message, or it is not quarantined.
    """
    row = _message(tx, identity)
    if row.state != "quarantined":
        raise DataError(
            "inbox.not-quarantined",
            f"the message is {row.state}; only a quarantined one can be discarded",
            fix="See the states with: adapter inbox list",
        )
    tx.inbox.mark(row.id, "discarded", code="inbox.discarded", error=row.error, fix=reason)
    _journal(
        tx, row.organization, row.site, "message.discarded", inbox=row.id, data={"why": reason}
    )
    return row


def retry(tx: Transaction, identity: str, now: datetime) -> OutboxRow:
    """Try a delivery that failed again at once: dead, quarantined, or waiting for its next try.

    Raises:
        DataError: there is no such delivery, it is done, or it stands behind another in its lane.
    """
    row = _delivery(tx, identity)
    if row.state == "waiting" and row.attempts:
        # It failed before, so that it heads its lane and may go first.
        tx.outbox.fail(row.id, "quarantined", code="delivery.retried", error="", fix="")
    elif row.state not in ("dead", "quarantined"):
        raise DataError(
            "delivery.not-failed",
            f"the delivery is {row.state}; only one that failed can be tried again",
            fix="See the states with: adapter deliveries list",
        )
    tx.outbox.retry(row.id, now)
    _journal(
        tx,
        row.organization,
        row.destination,
        "delivery.retried",
        referral=row.referral,
        data={"delivery": row.id},
    )
    return row


def discard_delivery(tx: Transaction, identity: str, reason: str) -> OutboxRow:
    """Never deliver it; the lane goes on with what stands behind it.

    Raises:
        DataError: there is no such delivery, or it is done or under way.
    """
    row = _delivery(tx, identity)
    if row.state in ("delivered", "discarded", "sending"):
        raise DataError(
            "delivery.not-open",
            f"the delivery is {row.state}",
            fix="See the states with: adapter deliveries list",
        )
    tx.outbox.discard(row.id, reason)
    _journal(
        tx,
        row.organization,
        row.destination,
        "delivery.discarded",
        referral=row.referral,
        data={"delivery": row.id, "why": reason},
    )
    return row


def _message(tx: Transaction, identity: str) -> InboxRow:
    row = tx.inbox.get(identity)
    if row is None:
        raise DataError(
            "inbox.unknown",
            "there is no such message in the inbox",
            fix="See the ids with: adapter inbox list",
        )
    return row


def _delivery(tx: Transaction, identity: str) -> OutboxRow:
    row = tx.outbox.get(identity)
    if row is None:
        raise DataError(
            "delivery.unknown",
            "there is no such delivery",
            fix="See the ids with: adapter deliveries list",
        )
    return row


def _journal(
    tx: Transaction,
    organization: str,
    site: str,
    kind: str,
    *,
    referral: str | None = None,
    inbox: str | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    tx.journal.append(
        organization=organization,
        referral=referral,
        inbox=inbox,
        actor=OPERATOR,
        site=site,
        kind=kind,
        data=data or {},
    )
