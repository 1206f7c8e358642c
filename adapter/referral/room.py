"""The referral room: what each event and each move does to a referral. Pure; no clock, no store.

A `Case` is a referral with its fulfilments. Each function takes a case and what somebody wants, and
gives a `Decision`: the new case, what to write into the journal, and the news for the others. A
refusal is a decision too: nothing changes, and it says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from adapter.referral.lifecycle import Actor, Lifecycle
from adapter.referral.model import (
    Fulfilment,
    Note,
    Outcome,
    Reason,
    Referral,
    TaskStatus,
)
from adapter.referral.moment import not_before
from adapter.referral.reasons import reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A referral and its fulfilments, oldest first."""

    referral: Referral
    fulfilments: tuple[Fulfilment, ...] = ()

    def fulfilment(self, identity: str) -> Fulfilment | None:
        """The fulfilment of this id."""
        return next((each for each in self.fulfilments if each.id == identity), None)

    def with_fulfilment(self, changed: Fulfilment) -> Case:
        """The case with one fulfilment replaced by its new state."""
        return replace(
            self,
            fulfilments=tuple(changed if f.id == changed.id else f for f in self.fulfilments),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What somebody wants of one fulfilment.

    Attributes:
        to: the status to set, or None to add a note or an output alone.
        actor: in which role.
        reason: why; its text is required on our own pages where the lifecycle says so.
        occurred: when it happened, if not now (ISO 8601).
        lenient: a peer's message may lack a reason or an output: a default is set and recorded.
    """

    fulfilment: str
    actor: Actor
    to: TaskStatus | None = None
    reason: Reason | None = None
    outcome: Outcome | None = None
    note: Note | None = None
    occurred: str | None = None
    lenient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line for the journal: a kind ``noun.verb`` and its data."""

    kind: str
    fulfilment: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something that the other side should hear: an event about one fulfilment.

    `to` is ``requester`` or ``performer``.
    """

    event: str
    to: Actor
    fulfilment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why nothing was done. `code` is a word; `message` is for a person and holds no PHI."""

    code: str
    message: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What follows from an event or a move."""

    case: Case
    entries: tuple[Entry, ...] = ()
    news: tuple[News, ...] = ()
    refused: Refused | None = None


def move(case: Case, wanted: Move, table: Lifecycle, now: str) -> Decision:
    """Make one move on one fulfilment, if the table allows it to this actor."""
    fulfilment = case.fulfilment(wanted.fulfilment)
    if fulfilment is None:
        return _refuse(case, wanted, "fulfilment.unknown", "there is no such fulfilment", "")
    status = table.normal(wanted.to) if wanted.to else fulfilment.status
    before = fulfilment.status or "draft"
    if status == before:
        return _add_only(case, fulfilment, wanted, now)
    if not table.allows(before, status or before, wanted.actor):
        return _refuse(
            case,
            wanted,
            "lifecycle.not-allowed",
            f"the {wanted.actor} may not move this referral from {before} to {status}",
            f"From {before}, the {wanted.actor} may set: "
            + (", ".join(table.choices(before, wanted.actor)) or "nothing more")
            + ".",
        )
    completed, missing = _complete(wanted, status or before, table)
    if missing and not wanted.lenient:
        return _refuse(
            case,
            wanted,
            f"lifecycle.{missing}-required",
            f"a {missing} is required for {status}",
            "Choose a reason and say it in words."
            if missing == "reason"
            else "Say what was done, or answer the outcome questions.",
        )
    changed = replace(
        fulfilment,
        status=status,
        reason=completed.reason,
        outcome=merge_outcome(fulfilment.outcome, wanted.outcome),
        notes=_noted(fulfilment.notes, wanted.note),
        last_modified=not_before(fulfilment.authored_on, now),
    )
    return _moved(case, fulfilment, changed, wanted, missing)


def _moved(
    case: Case, before: Fulfilment, after: Fulfilment, wanted: Move, missing: str | None
) -> Decision:
    data: dict[str, Any] = {"from": before.status, "to": after.status, "role": wanted.actor}
    if after.reason and after.reason.code:
        data["reason"] = after.reason.code
    if wanted.occurred:
        data["occurred"] = wanted.occurred
    if missing:
        data["warning"] = f"the sender gave no {missing}"
    settled = settle(case.with_fulfilment(after))
    entries = [Entry(kind=f"fulfilment.{after.status}", fulfilment=after.id, data=data)]
    if settled.referral.status != case.referral.status:
        entries.append(
            Entry(kind=f"referral.{settled.referral.status}", data={"from": case.referral.status})
        )
    event = "outcome" if after.status == "completed" else "answer"
    other: Actor = "requester" if wanted.actor == "performer" else "performer"
    if other == "performer":  # a draft that is sent is the request itself
        event = "request" if after.status == "requested" else "cancel"
    return Decision(
        case=settled,
        entries=tuple(entries),
        news=(News(event=event, to=other, fulfilment=after.id or ""),),
    )


def settle(case: Case) -> Case:
    """The referral's own status, as it follows from its fulfilments.

    The source sets ServiceRequest to completed when its Task is completed; a rejection leaves it
    active, because the navigator may refer on (SDOH-CC 3.0, Referral Workflow, step 7).
    """
    referral = case.referral
    if referral.status != "active" or not case.fulfilments:
        return case
    states = {each.status for each in case.fulfilments}
    if states <= {"completed", "rejected", "cancelled", "failed"} and "completed" in states:
        return replace(case, referral=replace(referral, status="completed"))
    return case


def cancel(case: Case, reason: Reason | None, table: Lifecycle, now: str) -> Decision:
    """The requester takes the referral back: open fulfilments are cancelled, it is revoked.

    What was completed stays completed, and both are recorded: completed wins (ADR 0004).
    """
    entries: list[Entry] = []
    news: list[News] = []
    current = case
    for fulfilment in case.fulfilments:
        step = move(
            current,
            Move(
                fulfilment=fulfilment.id or "",
                to="cancelled",
                actor="requester",
                reason=reason,
                lenient=True,
            ),
            table,
            now,
        )
        current = step.case
        entries += step.entries
        news += step.news
    if case.referral.status in ("active", "on-hold", "draft", "unknown"):
        current = replace(current, referral=replace(current.referral, status="revoked"))
        entries.append(Entry(kind="referral.revoked", data={"from": case.referral.status}))
        return Decision(case=current, entries=tuple(entries), news=tuple(news))
    return Decision(
        case=current,
        entries=(*entries, Entry(kind="referral.cancel-late", data={"at": case.referral.status})),
        news=tuple(news),
        refused=Refused(
            code="referral.already-ended",
            message=f"the referral was already {case.referral.status}",
            fix="Nothing is left to cancel; the outcome stands.",
        ),
    )


def merge_outcome(before: Outcome | None, added: Outcome | None) -> Outcome | None:
    """Outputs are appended, never replaced; single facts take the newest word.

    What is said again, word for word, is not a second one: a peer that is asked for news states
    everything with every answer.
    """
    if before is None or added is None:
        return added or before
    return Outcome(
        activities=_appended(before.activities, added.activities),
        enrolment=added.enrolment or before.enrolment,
        language_received=added.language_received or before.language_received,
        measures=_appended(before.measures, added.measures),
        observations=_appended(before.observations, added.observations),
        documents=_appended(before.documents, added.documents),
        goal_progress=added.goal_progress or before.goal_progress,
        give_back=added.give_back or before.give_back,
        summary=added.summary or before.summary,
        next_step=added.next_step or before.next_step,
    )


_Part = TypeVar("_Part")


def _appended(before: tuple[_Part, ...], added: tuple[_Part, ...]) -> tuple[_Part, ...]:
    return before + tuple(each for each in added if each not in before)


def _noted(before: tuple[Note, ...], added: Note | None) -> tuple[Note, ...]:
    """The notes with one more, unless it is there word for word, by the same author and time."""
    return before if added is None or added in before else (*before, added)


def _add_only(case: Case, fulfilment: Fulfilment, wanted: Move, now: str) -> Decision:
    outcome = merge_outcome(fulfilment.outcome, wanted.outcome)
    notes = _noted(fulfilment.notes, wanted.note)
    if outcome == fulfilment.outcome and notes == fulfilment.notes:
        return Decision(
            case=case,
            entries=(
                Entry(
                    kind="fulfilment.unchanged",
                    fulfilment=fulfilment.id,
                    data={"at": fulfilment.status, "role": wanted.actor},
                ),
            ),
        )
    changed = replace(
        fulfilment,
        outcome=outcome,
        notes=notes,
        last_modified=not_before(fulfilment.authored_on, now),
    )
    other: Actor = "requester" if wanted.actor == "performer" else "performer"
    event = "outcome" if outcome != fulfilment.outcome else "note"
    return Decision(
        case=case.with_fulfilment(changed),
        entries=(
            Entry(
                kind=f"fulfilment.{event}-added",
                fulfilment=fulfilment.id,
                data={"at": fulfilment.status, "role": wanted.actor},
            ),
        ),
        news=(News(event=event, to=other, fulfilment=fulfilment.id or ""),),
    )


def _complete(wanted: Move, status: str, table: Lifecycle) -> tuple[Move, str | None]:
    """The move with its reason's words filled in, and what is still missing."""
    needs = table.needs(status)
    reason = wanted.reason
    known = reasons().get(reason.code) if reason and reason.code else None
    if reason and not reason.text and known:
        reason = replace(reason, text=known.text["en"])
    missing = None
    if "reason" in needs and not (reason and reason.text):
        missing = "reason"
        reason = Reason(code="other", text="The sender gave no reason.")
    if "output" in needs and wanted.outcome is None:
        missing = missing or "output"
    return replace(wanted, reason=reason), missing


def _refuse(case: Case, wanted: Move, code: str, message: str, fix: str) -> Decision:
    fulfilment = case.fulfilment(wanted.fulfilment)
    return Decision(
        case=case,
        entries=(
            Entry(
                kind="fulfilment.move-refused",
                fulfilment=wanted.fulfilment if fulfilment else None,
                data={
                    "code": code,
                    "at": fulfilment.status if fulfilment else None,
                    "to": wanted.to,
                    "role": wanted.actor,
                },
            ),
        ),
        refused=Refused(code=code, message=message, fix=fix),
    )
