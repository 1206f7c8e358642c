"""What an agency can do with a referral: one form for each action, and what it turns into.

Which actions are offered follows from the lifecycle (the statuses that the agency may set now);
the words for each are here, marked for translation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapter.portal.catalogue import mark
from adapter.referral.model import TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One action.

    Attributes:
        name: the word that the form sends as ``do``.
        to: the status that it sets, or None if it only adds something.
        title: what the page calls it. `lead`: what will happen. `button`: what the button says.
        asks: what its form asks for: ``reason``, ``suggestion``, ``outcome``, ``message``.
        main: True if its button is shown at once, not folded away.
    """

    name: str
    to: TaskStatus | None
    title: str
    lead: str
    button: str
    asks: frozenset[str] = frozenset()
    main: bool = False


ACTIONS: tuple[Action, ...] = (
    Action(
        name="accept",
        to="accepted",
        title=mark("Accept this referral"),
        lead=mark("You take this on, as the person asked. The clinic is told that you accept."),
        button=mark("Accept"),
        main=True,
    ),
    Action(
        name="start",
        to="in-progress",
        title=mark("The person has started"),
        lead=mark("The clinic is told that the person now takes part."),
        button=mark("Mark as started"),
        main=True,
    ),
    Action(
        name="complete",
        to="completed",
        title=mark("Close with how it went"),
        lead=mark("Tell the clinic how it went. You can skip any question."),
        button=mark("Send and close"),
        asks=frozenset({"outcome"}),
    ),
    Action(
        name="decline",
        to="rejected",
        title=mark("Decline"),
        lead=mark("The referral goes back to the clinic, so that another program can be found."),
        button=mark("Decline this referral"),
        asks=frozenset({"reason", "suggestion"}),
    ),
    Action(
        name="hold",
        to="on-hold",
        title=mark("Put on hold"),
        lead=mark("Use this when you have to wait before you can go on."),
        button=mark("Put on hold"),
        asks=frozenset({"reason"}),
    ),
    Action(
        name="fail",
        to="failed",
        title=mark("It did not work out"),
        lead=mark("Use this when you tried, but the person could not take part. This closes it."),
        button=mark("Close as not worked out"),
        asks=frozenset({"reason"}),
    ),
    Action(
        name="cancel",
        to="cancelled",
        title=mark("The person no longer wants this"),
        lead=mark("Use this when the person said no, or no longer needs it. This closes it."),
        button=mark("Cancel this referral"),
        asks=frozenset({"reason"}),
    ),
    Action(
        name="note",
        to=None,
        title=mark("Send a message to the clinic"),
        lead=mark("Ask a question, or say what the clinic should know. The status stays the same."),
        button=mark("Send message"),
        asks=frozenset({"message"}),
    ),
)

BY_NAME = {action.name: action for action in ACTIONS}


def offered(choices: Sequence[TaskStatus]) -> tuple[Action, ...]:
    """The actions for the statuses that may be set now; a message as long as it is open."""
    if not choices:
        return ()
    return tuple(each for each in ACTIONS if each.to is None or each.to in choices)
