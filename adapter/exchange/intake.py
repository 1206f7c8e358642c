"""What makes a message durable, and once: the same rules for what is sent to us and what we fetch.

Same key and same bytes: the same message again, which gets its first answer. Same key and other
bytes: a conflict, which is kept for people to see, and not accepted.
"""

from __future__ import annotations

from typing import Any

from adapter.plugin.messages import Inbound, Receipt, Refusal
from adapter.store.inbox import key_used
from adapter.store.transaction import Transaction


def take(tx: Transaction, message: Inbound, *, site: str, organization: str) -> Receipt:
    """Put a message into the inbox, with its line in the journal; part of one transaction.

    Raises:
        RaceError: another writer took the key at this moment; the writer runs the work again.
    """
    row = tx.inbox.offer(
        organization=organization,
        site=site,
        key=message.key,
        format=message.format,
        kind=message.kind,
        dialect=message.dialect,
        raw=message.raw,
        answer=message.answer,
        test=message.test,
    )
    if row is not None:
        _journal(tx, row.id, "message.accepted", {"kind": message.kind}, site, organization)
        return Receipt(id=row.id, state="accepted", answer=message.answer)
    found = tx.inbox.find(site, message.key)
    if found is None:
        raise key_used()
    if found.content_hash == tx.inbox.content_hash(message.raw):
        return Receipt(id=found.id, state="duplicate", answer=found.answer)
    tx.inbox.add_refused(
        organization=organization,
        site=site,
        key=message.key,
        format=message.format,
        kind=message.kind,
        raw=message.raw,
        code="message.conflict",
        message="the same message id came before with other content",
        fix="The sender must give each message an id of its own.",
    )
    _journal(tx, found.id, "message.conflict", {"kind": message.kind}, site, organization)
    return Receipt(id=found.id, state="conflict")


def refuse(tx: Transaction, refusal: Refusal, *, site: str, organization: str) -> None:
    """Keep a message that was refused, with its line in the journal."""
    refused = tx.inbox.add_refused(
        organization=organization,
        site=site,
        key=refusal.key,
        format=refusal.format,
        kind=refusal.kind,
        raw=refusal.raw,
        code=refusal.code,
        message=refusal.message,
        fix=refusal.fix,
    )
    data = {"code": refusal.code, "kind": refusal.kind}
    _journal(tx, refused, "message.refused", data, site, organization)


def _journal(
    tx: Transaction, inbox: str, kind: str, data: dict[str, Any], site: str, organization: str
) -> None:
    tx.journal.append(
        organization=organization, inbox=inbox, actor=site, site=site, kind=kind, data=data
    )
