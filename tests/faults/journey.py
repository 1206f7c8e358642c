"""A referral's whole journey, played by parties that try again until they are answered.

The clinic sends the same bytes until it has AA. The agency opens its link, presses Accept, then
Complete, and begins again with the link if the service went away. Both receivers know a message
that they have already by its id. So what is counted is what a person would see: acts that were
acknowledged, and effects at the receivers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import hl7
import httpx
from hl7.mllp import open_hl7_connection

from adapter.cli.demonstration.agency import Visitor
from adapter.cli.demonstration.mailbox import Mailbox, link_in
from adapter.plugin.errors import AdapterError, SystemFault
from adapter.store.check import open_lanes
from adapter.store.transaction import Transaction
from tests.faults.stage import Stage
from tests.integration.loop.harness import referral

OUTCOME = {
    "q.sessions-attended": "8",
    "q.what-mattered-met": "yes",
    "q.wellbeing-change": "a-little-better",
    "q.enrolment": "enrolled",
    "q.summary": "Eight walks.",
}
_AGAIN = (
    OSError, asyncio.IncompleteReadError, TimeoutError, EOFError, httpx.HTTPError, AdapterError,
)  # fmt: skip


class Agent(Visitor):
    """A visitor whose browser loads no certificates, which costs more than the whole visit."""

    async def open(self, link: str) -> None:
        """As a visitor does; a referral that is over already has nothing to press, and is open."""
        try:
            await super().open(link)
        except SystemFault:
            if not urlsplit(self._url).path.endswith("/referral"):
                raise

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox
        self._browser = httpx.AsyncClient(follow_redirects=True, timeout=60, verify=False)
        self._page = self._url = ""


@dataclass(slots=True)
class Counts:
    """What came of some journeys."""

    acknowledged: int = 0
    effects: int = 0
    lost: int = 0
    duplicated: int = 0
    notes: list[str] = field(default_factory=list)


class Journeys:
    """Some referrals at once, each from the clinic to its outcome; or to its letter only."""

    def __init__(self, stage: Stage, numbers: list[str], *, visits: bool = True) -> None:
        self.stage = stage
        self.numbers = numbers
        self.visits = visits
        self.acknowledged: Counter[str] = Counter()
        self._door = asyncio.Lock()
        self._letters = len(stage.mailbox.letters)
        self._received = len(stage.emr.received)

    async def run(self, seconds: float = 30.0) -> None:
        """Play all of them to the end."""
        async with asyncio.timeout(seconds):
            await asyncio.gather(
                *(self._clinic(number) for number in self.numbers),
                *(self._agency(place) for place in range(len(self.numbers) * self.visits)),
            )
            await self._quiet()

    async def _clinic(self, number: str) -> None:
        while True:
            await self.stage.up.wait()
            with contextlib.suppress(*_AGAIN):
                answer = await self._send(number)
                if answer == "AA":
                    self.acknowledged["AA"] += 1
                    return
            await asyncio.sleep(0.01)

    async def _send(self, number: str) -> str:
        reader, writer = await open_hl7_connection(*self.stage.mllp)
        try:
            writer.writemessage(hl7.parse(referral(number)))
            await writer.drain()
            answer = await asyncio.wait_for(reader.readmessage(), 5)
            return str(answer.segment("MSA")[1])
        finally:
            writer.close()

    async def _agency(self, place: int) -> None:
        """The person who reads the n-th letter that came with a link."""
        await until(lambda: len(self._links()) > place)
        link = self._links()[place]
        while True:
            await self.stage.up.wait()
            visitor = Agent(self.stage.mailbox)
            try:
                async with self._door:  # so that the next letter with a code is this visitor's
                    await visitor.open(link)
                for action, answers in (("accept", {}), ("complete", OUTCOME)):
                    if visitor.offers(action):
                        await visitor.do(action, answers)
                if not visitor.offers("accept") and not visitor.offers("complete"):
                    self.acknowledged["acts"] += 2
                    return
            except _AGAIN:
                await asyncio.sleep(0.01)
            finally:
                await visitor.close()

    def _links(self) -> list[str]:
        """The links of the letters that came, each letter once."""
        once = {
            str(each["Message-ID"]): link
            for each in self.stage.mailbox.letters[self._letters :]
            if (link := link_in(each))
        }
        return list(once.values())

    async def _quiet(self) -> None:
        """Until nothing is on its way any more."""
        assert self.stage.store is not None
        store = self.stage.store
        await until(lambda: not store.read_now(under_way), 0.05)

    def count(self) -> Counts:
        """Compare what was acknowledged with what the receivers have, each message once."""
        found = Counts(acknowledged=self.acknowledged.total())
        letters = {str(each["Message-ID"]) for each in self.stage.mailbox.letters[self._letters :]
                   if link_in(each)}  # fmt: skip
        self._compare(found, "letters", len(letters), len(self.numbers))
        answers: dict[tuple[str, str], set[str]] = {}
        for text in self.stage.emr.received[self._received :]:
            message = hl7.parse(text)
            kind = str(message.segment("MSH")[9])[:7]
            number = (
                str(message.segment("RF1")[6]) if "RF1" in text else str(message.segment("OBR")[2])
            )
            answers.setdefault((number, kind), set()).add(str(message.segment("MSH")[10]))
        for number in self.numbers:
            for kind in ("RRI^I12", "ORU^R01") if self.visits else ():
                self._compare(found, f"{kind} {number}", len(answers.pop((number, kind), ())), 1)
        for left, ids in answers.items():
            found.duplicated += len(ids)
            found.notes.append(f"unexpected {left}")
        return found

    def _compare(self, found: Counts, what: str, there: int, wanted: int) -> None:
        found.effects += min(there, wanted)
        found.lost += max(wanted - there, 0)
        found.duplicated += max(there - wanted, 0)
        if there != wanted:
            found.notes.append(f"{what}: {there} for {wanted}")


async def until(reached: Callable[[], bool], pause: float = 0.01) -> None:
    """Wait for something that nobody tells of."""
    while True:
        if reached():
            return
        await asyncio.sleep(pause)


def under_way(tx: Transaction) -> set[str]:
    """What is on its way: open lanes, and sites with messages that nothing was done with."""
    return {f"{one} to {other}" for one, other in open_lanes(tx)} | set(tx.inbox.pending_sites())
