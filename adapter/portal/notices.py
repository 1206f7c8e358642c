"""What a page says when there is no referral to show, or when something went wrong."""

from __future__ import annotations

from collections.abc import Mapping

from adapter.plugin.pages import Visit
from adapter.portal.catalogue import mark
from adapter.portal.words import Words, words

PROBLEMS: Mapping[str, str] = {
    "code-wrong": mark("This code is not right. Look at the e-mail and try again."),
    "code-expired": mark("This code is too old. Ask for a new one."),
    "code-spent": mark("Too many tries with this code. Ask for a new one."),
    "code-sent": mark("We sent you a new code."),
    "session-expired": mark("You were away for a while. What you typed is still here."),
    "form-expired": mark("This form was too old, so nothing was sent. Please fill it in again."),
    "mail-failed": mark("We could not send you the e-mail. Please try again in a few minutes."),
    "changed-meanwhile": mark(
        "Nothing was sent. The referral changed, so it is too late for this."
    ),
    "not-accepted": mark("This could not be done. Nothing was sent."),
    "nothing-said": mark("Answer at least one question, or say in a few words how it went."),
}
"""The problems that a visit may name, and the pages' own."""

NEWS = frozenset({"code-sent", "session-expired"})
"""Those that are no fault, but good to know."""


def in_words(problem: str, spoken: Words) -> str:
    """A problem in the reader's language."""
    return spoken.say(PROBLEMS.get(problem, PROBLEMS["not-accepted"]))


def problem_of(visit: Visit) -> str | None:
    """The problem that a visit comes with, in words; None if there is none."""
    return in_words(visit.problem, words(visit.language)) if visit.problem else None


def is_fault(visit: Visit) -> bool:
    """True if the visit comes with a problem that is a fault."""
    return visit.problem is not None and visit.problem not in NEWS


def message_of(visit: Visit) -> tuple[int, str, list[str]]:
    """The page of a visit that gets no referral: HTTP status, heading, paragraphs."""
    spoken = words(visit.language)
    if visit.name == "gone":
        return (
            410,
            spoken.say(mark("This link no longer works")),
            [
                spoken.say(
                    mark("It was cancelled, it was replaced by a newer one, or it is too old.")
                ),
                spoken.say(mark("Look for a newer e-mail, or call the clinic.")),
            ],
        )
    if visit.name == "busy":
        return (
            429,
            spoken.say(mark("Please wait a moment")),
            [
                spoken.count(
                    "Please wait %(num)s minute, then use the link in the e-mail again.",
                    "Please wait %(num)s minutes, then use the link in the e-mail again.",
                    max(1, -(-visit.wait // 60)),
                )
            ],
        )
    return (
        404,
        spoken.say(mark("We cannot find this page")),
        [spoken.say(mark("Check that the whole address from the e-mail was copied."))],
    )
