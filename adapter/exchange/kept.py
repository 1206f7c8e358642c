"""A case as the store holds it, what led to a change of it, and the journal's lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from adapter.referral.model import Envelope
from adapter.referral.room import Case, Entry
from adapter.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What led to a decision: who, where, by which message, when."""

    actor: str
    site: str
    at: datetime
    inbox: str | None = None
    occurred: datetime | None = None


class Held(NamedTuple):
    """A fulfilment's version in the store, and the site that it is with."""

    version: int
    destination: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A case as the store has it, with the request's envelope and how each fulfilment is held."""

    id: str
    site: str
    test: bool
    version: int
    received_at: datetime
    case: Case
    envelope: Envelope | None
    held: Mapping[str, Held]


def is_party(kept: Kept, site: str) -> bool:
    """Whether a referral is this site's: it made it, or carries it out."""
    return kept.site == site or any(each.destination == site for each in kept.held.values())


def journal(
    tx: Transaction, organization: str, referral: str, entries: Iterable[Entry], cause: Cause
) -> None:
    """Append lines about one referral."""
    for entry in entries:
        tx.journal.append(
            organization=organization,
            referral=referral,
            fulfilment=entry.fulfilment,
            inbox=cause.inbox,
            actor=cause.actor,
            site=cause.site,
            kind=entry.kind,
            data=dict(entry.data),
            occurred=cause.occurred,
        )
