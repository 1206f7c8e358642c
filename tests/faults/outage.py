"""What every outage of a store has in common: break it under load, heal it, and count.

Clinics send from before the outage until after it, each referral until it has AA. While the store
is broken every answer must be a refusal or none; what was answered with AA must have its letter at
the agency in the end, once. An outage that refused nobody was none, and is an error of the test.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import hl7
import httpx
from hl7.mllp import open_hl7_connection

from adapter.cli.demonstration.mailbox import link_in
from adapter.store.errors import StoreError
from adapter.store.transaction import Transaction
from tests.faults.journey import Counts, under_way, until
from tests.faults.stage import Stage
from tests.faults.tour import Tour
from tests.integration.loop.harness import referral

Act = Callable[[Stage], Awaitable[None]]
_SENDERS = 4
_PATIENCE = 30.0
_GONE = (OSError, asyncio.IncompleteReadError, TimeoutError, EOFError)


class Clinics:
    """Some clinics that send one referral after the other, until told to stop."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name
        self.answers: Counter[str] = Counter()
        self.acknowledged: set[str] = set()
        self._going = True
        self._tasks = [asyncio.create_task(self._send(n)) for n in range(_SENDERS)]

    async def end(self) -> None:
        """Let each finish what it is sending."""
        self._going = False
        await asyncio.wait_for(asyncio.gather(*self._tasks), 30)

    async def _send(self, sender: int) -> None:
        number = 0
        while self._going:
            number += 1
            key = f"{self.name}{sender}-{number}"
            await self._until_taken(key)
            self.acknowledged.add(key)
            await asyncio.sleep(0.02)

    async def _until_taken(self, key: str) -> None:
        while True:
            if await self._once(key):
                return
            await asyncio.sleep(0.05)

    async def _once(self, key: str) -> bool:
        await self.stage.up.wait()
        try:
            reader, writer = await open_hl7_connection(*self.stage.mllp)
        except OSError:
            self.answers["none"] += 1
            return False
        try:
            writer.writemessage(hl7.parse(referral(key)))
            await writer.drain()
            answer = await asyncio.wait_for(reader.readmessage(), 10)
            code = str(answer.segment("MSA")[1])
        except _GONE:
            code = "none"
        finally:
            writer.close()
        self.answers[code] += 1
        return code == "AA"


async def outage(
    tour: Tour,
    stage: Stage,
    *,
    fault: str,
    kind: str,
    store: str,
    fail: Act,
    heal: Act,
    seconds: float,
    refuses: bool = True,
) -> None:
    """One outage of so many seconds, and what came of it.

    Where the service itself goes there is nobody who `refuses`.
    """
    letters = len(stage.mailbox.letters)
    clinics = Clinics(stage, f"{fault[:3]}{letters}-")
    async with asyncio.timeout(_PATIENCE):
        await until(lambda: len(clinics.acknowledged) >= 2 * _SENDERS)
    before = Counter(clinics.answers)
    await fail(stage)
    await asyncio.sleep(seconds)
    during = clinics.answers - before
    pages = await _ask(stage)
    healed = time.monotonic()
    await heal(stage)
    reached = len(clinics.acknowledged)
    serves, waiting = 0.0, 0
    try:
        async with asyncio.timeout(_PATIENCE):
            await until(lambda: len(clinics.acknowledged) >= reached + 2 * _SENDERS)
            serves = time.monotonic() - healed
            waiting = len(clinics.acknowledged) - (len(stage.mailbox.letters) - letters)
            await clinics.end()
            await until(lambda: _settled(stage), 0.05)
    except TimeoutError:
        tour.say(f"{kind}: {fault} on {store} does not settle: {_unsettled(stage)}")
        tour.say(await stage.stands())
    recovery = time.monotonic() - healed
    refused = sum(number for code, number in during.items() if code != "AA")
    if refuses and not refused and not pages["503"]:
        raise AssertionError(f"{fault} on {store} refused nobody: it was no fault ({during})")
    counts = await _count(stage, clinics, letters)
    tour.say(f"{kind}: {fault} on {store}: {refused} refused, {counts.acknowledged} acknowledged,"
             f" FHIR API {dict(pages)}, lost {counts.lost}; serves after {serves:.1f} s,"
             f" {waiting} letters behind, all delivered after {recovery:.1f} s")  # fmt: skip
    tour.results.add(
        fault, kind, store, acknowledged=counts.acknowledged, effects=counts.effects,
        lost=counts.lost, duplicated=counts.duplicated, recovery=recovery,
    )  # fmt: skip


async def _ask(stage: Stage) -> Counter[str]:
    """What the FHIR API answers meanwhile to a write, by status; a success would be a lie."""
    found: Counter[str] = Counter()
    if not stage.up.is_set():
        return found
    async with httpx.AsyncClient(timeout=10, verify=False) as client:
        for _ in range(3):
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.post(
                    f"{stage.ready['fhir']}/Organization",
                    json={"resourceType": "Organization", "name": "Synthetic"},
                    headers={"Content-Type": "application/fhir+json"},
                )
                found[str(answer.status_code)] += 1
    return found


def _settled(stage: Stage) -> bool:
    """True if the store answers and nothing is on its way."""
    assert stage.store is not None
    try:
        return not stage.store.read_now(under_way)
    except StoreError:
        return False


def _unsettled(stage: Stage) -> Counter[str]:
    """What is not done yet, by its state."""
    assert stage.store is not None

    def waiting(tx: Transaction) -> Counter[str]:
        found = Counter(f"{r.state} {r.code}" for r in tx.outbox.list() if r.state != "delivered")
        found.update("inbox" for _ in tx.inbox.pending_sites())
        return found

    return stage.store.read_now(waiting)


async def _count(stage: Stage, clinics: Clinics, letters: int) -> Counts:
    """Each acknowledged referral has one letter, and the chains hold."""
    assert stage.store is not None
    found = Counts(acknowledged=len(clinics.acknowledged))
    told = {str(each["Message-ID"]) for each in stage.mailbox.letters[letters:] if link_in(each)}
    numbers = {
        each["value"]
        for row in stage.store.read_now(lambda tx: tx.cases.list())
        for each in row.document["referral"]["identifiers"]
        if each["value"].startswith(clinics.name)
    }
    found.effects = len(told)
    found.lost = len(clinics.acknowledged - numbers) + max(len(numbers) - len(told), 0)
    found.duplicated = max(len(told) - len(clinics.acknowledged), 0)
    found.lost += len(stage.store.read_now(lambda tx: tx.journal.verify()))
    return found
