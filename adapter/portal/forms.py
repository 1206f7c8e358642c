"""What was typed into an action's form: read, checked, and turned into a move.

A `Draft` keeps the words as they came, so that a form that is not accepted comes back as it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.portal.actions import Action
from adapter.portal.catalogue import mark
from adapter.portal.questions import QuestionForm, Reading, read
from adapter.portal.words import Words
from adapter.referral.model import Note, Reason
from adapter.referral.reasons import reasons, reasons_for

LONGEST = 4000
"""The most characters that one text field takes."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct: the name of the field, and what to do, already in words."""

    field: str
    text: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A form as it was typed: values by field name."""

    values: Mapping[str, list[str]] = field(default_factory=dict)

    def one(self, name: str) -> str:
        """The text of a field, without blanks around it; empty if it was not sent."""
        return (self.values.get(name) or [""])[0].replace("\r\n", "\n").strip()

    def has(self, name: str, value: str) -> bool:
        """True if this value was chosen in this field."""
        return value in self.values.get(name, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a form asks for, or the problems that stand against it."""

    problems: tuple[Problem, ...] = ()
    reason: Reason | None = None
    note: Note | None = None
    reading: Reading | None = None


def check(action: Action, draft: Draft, words: Words, questions: QuestionForm, now: str) -> Wanted:
    """Read what an action's form asks for."""
    problems = _too_long(draft, words)
    reason: Reason | None = None
    note: Note | None = None
    reading: Reading | None = None
    if "reason" in action.asks:
        reason, missing = _reason(action, draft, words)
        problems += missing
    if "message" in action.asks:
        if draft.one("message"):
            note = Note(text=draft.one("message"), time=now, kind="from-program")
        else:
            problems.append(Problem("message", words.say(mark("Write your message."))))
    if "outcome" in action.asks:
        reading = read(questions, draft.values, words)
        problems += [Problem(name, text) for name, text in reading.problems.items()]
    if problems:
        return Wanted(problems=tuple(problems))
    return Wanted(reason=reason, note=note, reading=reading)


def _reason(action: Action, draft: Draft, words: Words) -> tuple[Reason | None, list[Problem]]:
    code, typed = draft.one("reason"), draft.one("words")
    if code not in {each.code for each in reasons_for(action.to or "")}:
        return None, [Problem("reason", words.say(mark("Choose a reason.")))]
    if code == "other" and not typed:
        return None, [Problem("words", words.say(mark("Say the reason in your own words.")))]
    text = typed or reasons()[code].text[words.language]
    if "suggestion" in action.asks and draft.one("suggestion"):
        also = words.say(mark("Suggested program: %(name)s"), name=draft.one("suggestion"))
        text = f"{text.rstrip()}\n{also}"
    return Reason(code=code, text=text), []


def _too_long(draft: Draft, words: Words) -> list[Problem]:
    return [
        Problem(
            name,
            words.count(
                "Write at most %(num)s character.", "Write at most %(num)s characters.", LONGEST
            ),
        )
        for name in ("words", "suggestion", "message", "activity")
        if len(draft.one(name)) > LONGEST
    ]
