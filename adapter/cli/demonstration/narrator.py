"""Tells each journey as it happens: what the outside parties do, and what the journal records."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapter.store.journal import JournalEntry
from adapter.store.store import Store
from adapter.store.transaction import Transaction

PAUSE = 0.1

WORDS: Mapping[str, str] = {
    "message.accepted": "the message is safe on disk, and acknowledged",
    "message.received": "the message is read and mapped",
    "message.refused": "the message is refused",
    "message.quarantined": "the message is set aside for a person",
    "message.conflict": "a message id came again with other content",
    "referral.received": "a referral is opened",
    "referral.completed": "the referral is completed",
    "referral.revoked": "the referral is taken back",
    "referral.modified": "the referral is changed",
    "fulfilment.requested": "a program is asked",
    "fulfilment.accepted": "the agency accepts",
    "fulfilment.in-progress": "the client takes part",
    "fulfilment.rejected": "the agency declines",
    "fulfilment.cancelled": "the request to the program is cancelled",
    "fulfilment.completed": "the agency closes it with an outcome",
    "fulfilment.viewed": "the agency looks at the referral; the view is audited",
    "delivery.delivered": "the news has arrived",
    "delivery.failed": "the news could not be delivered yet",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened: when (ISO 8601), who did it, at which site, what in words."""

    at: str
    actor: str
    site: str | None
    what: str


@dataclass(slots=True)
class Journey:
    """One referral's journey as it is told; `since` is the EMR's first event that belongs to it."""

    story: str
    title: str
    since: int = 0
    referral: str = ""
    steps: list[Step] = field(default_factory=list)
    emr_received: list[str] = field(default_factory=list)

    def documents(self) -> list[dict[str, Any]]:
        """The steps as plain dictionaries, in the order of time."""
        return [asdict(each) for each in sorted(self.steps, key=lambda step: step.at)]


class Narrator:
    """Follows the journal of a running service and hands every step on to be shown."""

    def __init__(self, store: Store, show: Callable[[Journey, Step], None]) -> None:
        self._store = store
        self._show = show
        self._seen = store.read_now(lambda tx: max((e.sequence for e in _all(tx)), default=0))
        self._known: set[str] = set()
        self._journey: Journey | None = None
        self._reading = asyncio.Lock()

    def begin(self, journey: Journey) -> None:
        """From now on, what happens belongs to this journey."""
        self._journey = journey

    async def tell(self, actor: str, site: str | None, what: str) -> None:
        """One step of an outside party, after all that the journal holds by now."""
        await self.catch_up()
        assert self._journey is not None
        step = Step(datetime.now(UTC).isoformat(timespec="milliseconds"), actor, site, what)
        self._journey.steps.append(step)
        self._show(self._journey, step)

    async def follow(self) -> None:
        """Show journal entries as they are written, until cancelled."""
        while True:
            await self.catch_up()
            await asyncio.sleep(PAUSE)

    async def catch_up(self) -> None:
        """Show everything that the journal holds now."""
        async with self._reading:
            entries = await self._store.read(lambda tx: tx.journal.after(self._seen, 1000))
            for entry in entries:
                self._seen = entry.sequence
                self._entry(entry)

    async def settled(self, referral: str, patience: float = 10.0) -> None:
        """Wait until everything about a referral is delivered, or `patience` seconds are over."""
        for _ in range(int(patience / PAUSE)):
            if not await self._store.read(lambda tx: _undelivered(tx, referral)):
                break
            await asyncio.sleep(PAUSE)
        await self.catch_up()

    def _entry(self, entry: JournalEntry) -> None:
        journey = self._journey
        if journey is None:
            return
        if entry.referral and entry.referral not in self._known:
            self._known.add(entry.referral)
            journey.referral = entry.referral
        recorded = entry.recorded.isoformat(timespec="milliseconds")
        step = Step(recorded, entry.actor, entry.site, in_words(entry))
        journey.steps.append(step)
        self._show(journey, step)


def in_words(entry: JournalEntry) -> str:
    """A journal entry as a sentence; its kind itself if it has none."""
    words = WORDS.get(entry.kind, entry.kind.replace(".", ": ").replace("-", " "))
    detail = entry.data.get("reason") or entry.data.get("kind") or entry.data.get("program")
    if entry.kind == "delivery.queued":
        words, detail = f"news for the {entry.data.get('to')} is queued", entry.data.get("kind")
    elif entry.kind.startswith("delivery."):
        words = f"{words}: {entry.site}"
    return f"{words} ({detail})" if detail else words


def _undelivered(tx: Transaction, referral: str) -> bool:
    return any(
        row.referral == referral and row.state in ("due", "sending", "waiting")
        for row in tx.outbox.list()
    )


def _all(tx: Transaction) -> list[JournalEntry]:
    return tx.journal.after(0, 1_000_000)
