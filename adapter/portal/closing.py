"""The answers of a closing questionnaire as the outcome of a fulfilment.

Some questions have a place of their own in the model; which ones is the table `FACTS`, by linkId.
All answers also stay together as a measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from adapter.referral.model import (
    Activity,
    AnswerItem,
    Answers,
    Concept,
    GiveBack,
    Outcome,
    Period,
    Value,
)

FACTS: Mapping[str, str] = MappingProxyType(
    {
        "enrolment": "enrolment",
        "language-received": "language_received",
        "what-mattered-met": "goal_progress",
        "give-back": "give_back",
        "summary": "summary",
        "next-step": "next_step",
    }
)
"""The field of `Outcome` that each of these questions answers."""

ATTENDED = "sessions-attended"
"""The question whose answer, if above zero, says that the program itself was taken part in."""


def outcome(
    answers: Answers, *, activity: str, program: str | None, now: str, author: str
) -> Outcome | None:
    """What came of it; None if nothing at all was said.

    `activity` is what was done, in the agency's words; without it, and if any session was attended,
    the program's name stands for it.
    """
    found = dict(_flat(answers.items))
    facts: dict[str, str] = {}
    for link_id, name in FACTS.items():
        if link_id in found:
            facts[name] = _text(found[link_id])
    done = activity or (program or "" if (_number(found.get(ATTENDED)) or 0) > 0 else "")
    if not found and not done:
        return None
    give_back = facts.pop("give_back", None)
    return Outcome(
        activities=(
            (
                Activity(
                    code=Concept(text=done),
                    status="completed",
                    performed=Period(end=now[:10]),
                ),
            )
            if done
            else ()
        ),
        measures=(replace(answers, authored=now, author=author),) if found else (),
        give_back=GiveBack(invitation=give_back) if give_back else None,
        enrolment=facts.get("enrolment"),
        language_received=facts.get("language_received"),
        goal_progress=facts.get("goal_progress"),
        summary=facts.get("summary"),
        next_step=facts.get("next_step"),
    )


def _flat(items: tuple[AnswerItem, ...]) -> list[tuple[str, Value]]:
    flat: list[tuple[str, Value]] = []
    for item in items:
        flat += [(item.link_id or "", answer) for answer in item.answers[:1]]
        flat += _flat(item.items)
    return flat


def _text(value: Value) -> str:
    if value.coding:
        return value.coding.code or value.coding.display or ""
    return value.string or ""


def _number(value: Value | None) -> int | None:
    return value.integer if value else None
