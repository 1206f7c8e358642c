"""Where a referral stands, what is agreed and how to reach somebody: codes as plain sentences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapter.portal.catalogue import mark
from adapter.portal.words import Words
from adapter.referral.model import AnswerItem, Answers, Consent, Telecom, Value


@dataclass(frozen=True, slots=True)
class Standing:
    """A status in words, and what the agency does next; `next` may be empty."""

    title: str
    next: str = ""


_WAITING = Standing(
    mark("Waiting for your answer"),
    mark("Please read the referral, then accept or decline it."),
)

_ACCEPTED_PROHIBITED = Standing(
    mark("You accepted this referral"),
    mark("The clinic has been told. Next: wait until the person comes to you."),
)

STANDINGS: Mapping[str, Standing] = {
    "draft": Standing(mark("Not ready yet"), mark("The clinic has not sent this referral yet.")),
    "requested": _WAITING,
    "received": _WAITING,
    "ready": _WAITING,
    "accepted": Standing(
        mark("You accepted this referral"),
        mark("The clinic has been told. Next: contact the person as they asked, then come back."),
    ),
    "in-progress": Standing(
        mark("The person is taking part"),
        mark("Next: when it is over, tell the clinic how it went."),
    ),
    "on-hold": Standing(
        mark("On hold"), mark("Come back when you can go on, or when it has to be closed.")
    ),
    "rejected": Standing(
        mark("You declined this referral"),
        mark("The clinic has been told. There is nothing more to do."),
    ),
    "cancelled": Standing(
        mark("This referral was cancelled"),
        mark("There is nothing more to do. Please do not contact the person about it."),
    ),
    "failed": Standing(
        mark("It did not work out"),
        mark("The clinic has been told. There is nothing more to do."),
    ),
    "completed": Standing(
        mark("Closed. Thank you for what you did."),
        mark("The clinic has been told how it went. There is nothing more to do."),
    ),
    "entered-in-error": Standing(
        mark("This referral was a mistake"), mark("Please do nothing with it.")
    ),
}
"""Each FHIR task-status, seen from the agency."""

_SHARE = {
    "codes": mark("You may tell the clinic only the status of this referral."),
    "summary": mark("You may tell the clinic the status and a short summary."),
    "full": mark("You may tell the clinic the status and how it went, with all answers."),
}

_GENDERS = {
    "female": mark("Woman"),
    "male": mark("Man"),
    "other": mark("Another gender"),
}

_WAYS = {
    "phone": mark("Phone"),
    "sms": mark("Text message"),
    "email": mark("E-mail"),
    "mail": mark("Letter"),
    "fax": mark("Fax"),
    "url": mark("Web"),
}

_USES = {
    ("phone", "home"): mark("Phone, home"),
    ("phone", "work"): mark("Phone, work"),
    ("phone", "mobile"): mark("Phone, mobile"),
}


def standing(status: str | None, words: Words, *, prohibited: bool = False) -> Standing:
    """A status in the reader's language; `prohibited` if the person must not be contacted."""
    found = STANDINGS.get(status or "draft", STANDINGS["draft"])
    if prohibited and status == "accepted":
        found = _ACCEPTED_PROHIBITED
    return Standing(words.say(found.title), words.say(found.next) if found.next else "")


def consent_lines(consent: Consent | None, words: Words) -> list[str]:
    """What the client agreed to, and what may be shared back with the clinic."""
    if consent is None:
        return [
            words.say(mark("No consent is written down. Ask the clinic before you share anything."))
        ]
    if consent.withdrawn_at:
        return [
            words.say(
                mark("The person took back their consent on %(day)s. Do not use this information."),
                day=words.day(consent.withdrawn_at),
            )
        ]
    agreed = words.say(mark("The person agreed to this referral."))
    if consent.date:
        day = words.day(consent.date)
        agreed = words.say(mark("The person agreed to this referral on %(day)s."), day=day)
    lines = [agreed]
    if consent.share_back:
        lines.append(words.say(_SHARE[consent.share_back]))
    return lines


def genders(words: Words) -> dict[str, str]:
    """FHIR administrative genders that a person stated; unknown is not shown."""
    return {code: words.say(text) for code, text in _GENDERS.items()}


def ways(words: Words) -> dict[str, str]:
    """FHIR contact-point systems by name."""
    return {code: words.say(text) for code, text in _WAYS.items()}


def telecom_label(telecom: Telecom, words: Words) -> str:
    """What to call one way to reach somebody."""
    system = telecom.system or "phone"
    text = _USES.get((system, telecom.use or "")) or _WAYS.get(system) or _WAYS["phone"]
    return words.say(text)


def told(answers: Answers, words: Words) -> list[tuple[str, str]]:
    """Each question that was answered and its answer, as it was shown."""
    lines: list[tuple[str, str]] = []
    _tell(answers.items, words, lines)
    return lines


def _tell(items: tuple[AnswerItem, ...], words: Words, lines: list[tuple[str, str]]) -> None:
    for item in items:
        if item.answers:
            label = item.text or item.link_id or ""
            lines.append((label, ", ".join(_said(answer, words) for answer in item.answers)))
        _tell(item.items, words, lines)


def _said(value: Value, words: Words) -> str:
    if value.boolean is not None:
        return words.say("Yes") if value.boolean else words.say("No")
    if value.coding:
        return value.coding.display or value.coding.code or ""
    if value.integer is not None:
        return str(value.integer)
    if value.date:
        return words.day(value.date)
    return value.string or value.decimal or value.time or value.uri or ""
