"""Three stories: a referral that is completed, one that is declined, one that is taken back.

Each is played by outside parties alone: the small EMR over MLLP, the agency over e-mail and HTTP.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from adapter.cli.demonstration import messages
from adapter.cli.demonstration.agency import Visitor, link_from
from adapter.cli.demonstration.child import Child, Event
from adapter.cli.demonstration.mailbox import Mailbox
from adapter.cli.demonstration.narrator import Journey, Narrator
from adapter.plugin.errors import SystemFault

OUTCOME = {
    "q.sessions-attended": "6",
    "q.what-mattered-met": "yes",
    "q.wellbeing-change": "a-little-better",
    "q.loneliness": "occasionally",
    "q.enrolment": "enrolled",
    "q.give-back": "accepted",
    "q.language-received": "en",
    "q.summary": "Came six times, sings again, and now helps to set the tables.",
    "q.next-step": "Stays as a volunteer on Fridays.",
    "activity": "Friday lunch and choir",
}
DECLINE = {
    "reason": "waitlist-full",
    "words": "The group is full until spring.",
    "suggestion": "The library's reading circle has room.",
}


@dataclass(slots=True)
class Stage:
    """The parties of a story."""

    emr: Child
    clinic: str
    mailbox: Mailbox
    narrator: Narrator


@dataclass(frozen=True, slots=True)
class Story:
    """One story: the message that begins it, and how it is played."""

    name: str
    title: str
    message: str
    play: Callable[[Stage, Journey, str], Awaitable[None]]


async def completed(stage: Stage, journey: Journey, message: str) -> None:
    """Accepted, and closed with an outcome."""
    visitor = await _referred(stage, message)
    try:
        await stage.narrator.tell("agency", "agency", "presses Accept")
        await visitor.do("accept", {})
        await _answer(stage, journey, "RRI^I12", "A")
        if not visitor.offers("complete"):
            await visitor.do("start", {})
        await stage.narrator.tell("agency", "agency", "fills in how it went, and closes")
        await visitor.do("complete", OUTCOME)
        await _answer(stage, journey, "ORU^R01")
    finally:
        await visitor.close()


async def declined(stage: Stage, journey: Journey, message: str) -> None:
    """Declined with a coded reason."""
    visitor = await _referred(stage, message)
    try:
        await stage.narrator.tell("agency", "agency", f"declines: {DECLINE['reason']}")
        await visitor.do("decline", DECLINE)
        await _answer(stage, journey, "RRI^I12", "R")
    finally:
        await visitor.close()


async def cancelled(stage: Stage, journey: Journey, message: str) -> None:
    """Taken back by the clinic before the agency answered."""
    letters = len(stage.mailbox.letters)
    await _send(stage, message)
    await link_from(stage.mailbox, letters)
    await stage.narrator.tell("agency", "agency", "has the e-mail, and has not opened it yet")
    letters = len(stage.mailbox.letters)
    await _send(stage, messages.cancellation(message))
    await _answer(stage, journey, "RRI^I14")
    letter = await stage.mailbox.wait_for(lambda _: True, letters)
    await stage.narrator.tell("agency", "agency", f"gets an e-mail: {letter['Subject']}")


async def waiting(stage: Stage, message: str) -> str:
    """A referral that nobody has answered yet; the agency's link."""
    letters = len(stage.mailbox.letters)
    await _send(stage, message)
    return await link_from(stage.mailbox, letters)


STORIES = (
    Story("completed", "accepted, closed with an outcome", "ref-i12-20-segments.hl7", completed),
    Story("declined", "declined with a reason", "ref-i12-minimal-2.3.hl7", declined),
    Story("cancelled", "taken back by the clinic", "ref-i12-oscar-esend.hl7", cancelled),
)


async def _referred(stage: Stage, message: str) -> Visitor:
    """The clinic sends, the agency gets its e-mail and opens the page."""
    letters = len(stage.mailbox.letters)
    await _send(stage, message)
    link = await link_from(stage.mailbox, letters)
    await stage.narrator.tell(
        "agency", "agency", "gets an e-mail with a link, and nothing about anybody"
    )
    visitor = Visitor(stage.mailbox)
    await visitor.open(link)
    await stage.narrator.tell(
        "agency", "agency", "enters the code from a second e-mail, sees the page"
    )
    return visitor


async def _send(stage: Stage, message: str) -> None:
    kind = messages.get(message, "MSH", 9)
    version = messages.get(message, "MSH", 12).split("^")[0]
    segments = sum(1 for line in message.split("\r") if line)
    await stage.narrator.tell(
        "EMR", "clinic", f"sends {kind}, HL7 v{version}, {segments} segments, over MLLP"
    )
    mark = len(stage.emr.events)
    await stage.emr.tell({"send": stage.clinic, "message": message})
    answer = await stage.emr.wait(lambda e: e["event"] in ("acknowledged", "failed"), after=mark)
    if answer.get("code") not in ("AA", "CA"):
        raise SystemFault(
            "demo.not-acknowledged",
            f"the service answered the EMR with {answer.get('code') or answer.get('reason')}",
            fix="See the service's log, and: adapter inbox list",
        )
    await stage.narrator.tell("EMR", "clinic", f"has the acknowledgement {answer['code']}")


async def _answer(stage: Stage, journey: Journey, kind: str, status: str = "") -> None:
    """Wait until the EMR itself has received this answer (RF1-1 says the status, table 0283)."""

    def is_it(event: Event) -> bool:
        message = event.get("message", "")
        return (
            event["event"] == "received"
            and messages.get(message, "MSH", 9).startswith(kind)
            and messages.get(message, "RF1", 1).startswith(status)
        )

    event = await stage.emr.wait(is_it, after=journey.since)
    what = messages.get(event["message"], "MSH", 9)
    await stage.narrator.tell("EMR", "clinic", f"receives {what} over MLLP, and acknowledges it")
