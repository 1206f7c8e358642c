"""What a performer says of a fulfilment: the move, every note, and the facts beside it."""

from __future__ import annotations

from adapter.referral.facts import answered
from adapter.referral.lifecycle import lifecycle
from adapter.referral.model import (
    Appointment,
    Concept,
    Fulfilment,
    Note,
    Outcome,
    Progress,
    Referral,
)
from adapter.referral.room import Case

TABLE = lifecycle("sdohcc")
NOW = "2026-03-02T10:00:00.000+00:00"
CASE = Case(
    referral=Referral(id="r1", status="active"),
    fulfilments=(Fulfilment(id="f1", status="accepted"),),
)


def said(**more: object) -> Fulfilment:
    return Fulfilment(id="f1", status="in-progress", **more)  # type: ignore[arg-type]


def test_every_note_of_an_answer_is_kept() -> None:
    notes = (Note(text="First walk."), Note(text="Second walk."))

    after = answered(CASE, "f1", said(notes=notes), TABLE, NOW).case.fulfilments[0]

    assert set(after.notes) == set(notes)
    assert after.status == "in-progress"


def test_progress_standing_and_appointments_come_with_the_status() -> None:
    facts = said(
        progress=Progress(done=2, planned=8),
        business_status=Concept(text="Waiting for a place"),
        appointments=(Appointment(id="a1", start="2026-03-09T10:00:00Z"),),
    )

    once = answered(CASE, "f1", facts, TABLE, NOW)
    twice = answered(once.case, "f1", facts, TABLE, NOW)

    after = twice.case.fulfilments[0]
    assert after.progress == Progress(done=2, planned=8)
    assert after.business_status == Concept(text="Waiting for a place")
    assert [each.id for each in after.appointments] == ["a1"]


def test_what_is_said_again_word_for_word_is_no_news() -> None:
    words = said(notes=(Note(text="First walk."),), outcome=Outcome(summary="Going well."))

    once = answered(CASE, "f1", words, TABLE, NOW)
    twice = answered(once.case, "f1", words, TABLE, NOW)

    assert once.news
    assert twice.news == ()
    assert twice.case == once.case


def test_a_move_that_is_refused_changes_nothing_beside_it() -> None:
    ended = CASE.with_fulfilment(Fulfilment(id="f1", status="rejected"))
    facts = said(progress=Progress(done=1, planned=1), notes=(Note(text="x"), Note(text="y")))

    decision = answered(ended, "f1", facts, TABLE, NOW)

    assert decision.refused is not None
    assert decision.case == ended
