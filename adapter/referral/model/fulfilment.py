"""The fulfilment: the execution by one recipient, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adapter.referral.model.construction import quick
from adapter.referral.model.content import Alone, Answers, Document, Note, Observation, Piece
from adapter.referral.model.people import Party
from adapter.referral.model.referral import Priority
from adapter.referral.model.values import Concept, Identifier, Period

TaskStatus = Literal[
    "draft", "requested", "received", "accepted", "rejected", "ready", "cancelled",
    "in-progress", "on-hold", "failed", "completed", "entered-in-error",
]  # fmt: skip


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a status was set: a code of reasons.toml, and words."""

    code: str | None = None
    text: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Appointment:
    """A time for the client, proposed, booked or past."""

    id: str | None = None
    status: str | None = None
    start: str | None = None
    end: str | None = None
    location: str | None = None
    instruction: str | None = None
    identifiers: tuple[Identifier, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ContactAttempt:
    """One try to reach the client."""

    at: str | None = None
    by: str | None = None
    method: str | None = None
    result: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session of the program, and whether the client was there."""

    date: str | None = None
    attendance: Literal["attended", "excused", "absent"] | None = None
    note: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`done` of `planned` sessions or steps."""

    done: int | None = None
    planned: int | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Something that was done for or with the client (FHIR Procedure)."""

    id: str | None = None
    code: Concept | None = None
    status: str | None = None
    performed: Period | None = None
    note: str | None = None
    identifiers: tuple[Identifier, ...] = ()


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class GiveBack:
    """The invitation to give back, and what came of it; never scored against the client."""

    invitation: str | None = None
    role: str | None = None
    hours: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a fulfilment. `summary` is plain language for the clinician and the client."""

    activities: tuple[Activity, ...] = ()
    enrolment: str | None = None
    language_received: str | None = None
    measures: tuple[Answers, ...] = ()
    observations: tuple[Observation, ...] = ()
    documents: tuple[Document, ...] = ()
    goal_progress: str | None = None
    give_back: GiveBack | None = None
    summary: str | None = None
    next_step: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilment:
    """The execution by one recipient (FHIR Task). `parent` links a hub's child to its parent.

    `code` and `description` say what is asked, where it is not simply to fulfil the referral (a
    patient's own task); `inputs` and `outputs` are those that have no field of their own.
    """

    id: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    referral: str | None = None
    parent: str | None = None
    requester: Party | None = None
    recipient: Party | None = None
    program: str | None = None
    status: TaskStatus | None = None
    business_status: Concept | None = None
    reason: Reason | None = None
    priority: Priority | None = None
    authored_on: str | None = None
    last_modified: str | None = None
    reply_by: str | None = None
    execution: Period | None = None
    appointments: tuple[Appointment, ...] = ()
    contact_attempts: tuple[ContactAttempt, ...] = ()
    sessions: tuple[Session, ...] = ()
    progress: Progress | None = None
    outcome: Outcome | None = None
    notes: tuple[Note, ...] = ()
    code: Concept | None = None
    description: str | None = None
    inputs: tuple[Piece, ...] = ()
    outputs: tuple[Piece, ...] = ()
    alone: Alone | None = None
