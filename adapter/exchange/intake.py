"""What makes a message durable, and once: the same rules for what is sent to us and what we fetch.

Same key and same bytes: the same message again, which gets its first answer. Same key and other
bytes: a conflict, which is kept for people to see, and not accepted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapter.plugin.messages import Inbound, Receipt, Refusal
from adapter.store.inbox_row import Known, Offer
from adapter.store.transaction import Transaction

Arrived = tuple[str, Inbound]
"""A site, and a message that came to it."""


def take(tx: Transaction, message: Inbound, *, site: str, organization: str) -> Receipt:
    """Put a message into the inbox, with its line in the journal; part of one transaction.

    Raises:
        RaceError: another writer took the key at this moment; the writer runs the work again.
    """
    (receipt,) = take_all(tx, [(site, message)], organization=organization)
    return receipt


def take_all(
    tx: Transaction, arrived: Sequence[Arrived], *, organization: str
) -> Sequence[Receipt]:
    """As `take`, for messages of any sites; of those with the same key the first is taken."""
    offered = tx.inbox.offer(organization, [_offer(*each) for each in arrived])
    return [
        _accepted(tx, made, *each, organization)
        if isinstance(made, str)
        else _known(tx, made, *each, organization)
        for made, each in zip(offered, arrived, strict=True)
    ]


def _offer(site: str, message: Inbound) -> Offer:
    return Offer(
        site=site,
        key=message.key,
        format=message.format,
        kind=message.kind,
        dialect=message.dialect,
        test=message.test,
        raw=message.raw,
        answer=message.answer,
    )


def _accepted(tx: Transaction, id: str, site: str, message: Inbound, organization: str) -> Receipt:
    _journal(tx, id, "message.accepted", {"kind": message.kind}, site, organization)
    return Receipt(id=id, state="accepted", answer=message.answer)


def _known(
    tx: Transaction, found: Known, site: str, message: Inbound, organization: str
) -> Receipt:
    """The answer to a message whose key was used before.

    Who was erased has no first answer any more. Without one the sender would send it for ever, and
    nothing behind it: so it has the answer that it would have if it came for the first time.
    """
    if found.content_hash == tx.inbox.content_hash(message.raw):
        return Receipt(id=found.id, state="duplicate", answer=found.answer or message.answer)
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
