"""What each move and event does to a case."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.referral.lifecycle import STATUSES, lifecycle
from adapter.referral.model import Activity, Fulfilment, Note, Outcome, Reason, Referral
from adapter.referral.room import Case, Move, cancel, move

TABLE = lifecycle("sdohcc")
NOW = "2026-03-02T10:00:00.000+00:00"
DONE = Outcome(summary="Eight walks, two new friends.")


def case(*statuses: str) -> Case:
    return Case(
        referral=Referral(id="r1", status="active"),
        fulfilments=tuple(
            Fulfilment(id=f"f{number}", status=status) for number, status in enumerate(statuses, 1)
        ),
    )


def test_an_agency_accepts_and_the_requester_hears_of_it() -> None:
    decision = move(
        case("requested"), Move(fulfilment="f1", to="accepted", actor="performer"), TABLE, NOW
    )

    assert decision.refused is None
    assert decision.case.fulfilments[0].status == "accepted"
    assert decision.case.fulfilments[0].last_modified == NOW
    assert [(each.event, each.to) for each in decision.news] == [("answer", "requester")]
    assert decision.entries[0].kind == "fulfilment.accepted"


def test_a_decline_without_words_is_refused_on_our_own_pages() -> None:
    wanted = Move(fulfilment="f1", to="rejected", actor="performer")

    decision = move(case("requested"), wanted, TABLE, NOW)

    assert decision.refused is not None
    assert decision.refused.code == "lifecycle.reason-required"
    assert decision.case == case("requested")
    assert not decision.news


def test_a_peers_decline_without_words_gets_a_default_and_a_warning() -> None:
    wanted = Move(fulfilment="f1", to="rejected", actor="performer", lenient=True)

    decision = move(case("requested"), wanted, TABLE, NOW)

    reason = decision.case.fulfilments[0].reason
    assert reason is not None
    assert reason.text
    assert decision.entries[0].data["warning"] == "the sender gave no reason"


def test_a_coded_reason_brings_its_own_words() -> None:
    wanted = Move(
        fulfilment="f1", to="rejected", actor="performer", reason=Reason(code="outside-area")
    )

    reason = move(case("requested"), wanted, TABLE, NOW).case.fulfilments[0].reason

    assert reason is not None
    assert reason.text == "The person lives outside the area that the program serves."


def test_completing_needs_an_outcome() -> None:
    wanted = Move(fulfilment="f1", to="completed", actor="performer")

    assert move(case("accepted"), wanted, TABLE, NOW).refused is not None
    done = move(case("accepted"), replace(wanted, outcome=DONE), TABLE, NOW)
    assert done.refused is None
    assert done.case.referral.status == "completed"
    assert done.news[0].event == "outcome"


def test_a_rejection_leaves_the_referral_open_for_another_program() -> None:
    wanted = Move(
        fulfilment="f1", to="rejected", actor="performer", reason=Reason(code="no-capacity")
    )

    assert move(case("requested"), wanted, TABLE, NOW).case.referral.status == "active"


def test_one_decline_does_not_close_the_others() -> None:
    wanted = Move(
        fulfilment="f1", to="rejected", actor="performer", reason=Reason(code="no-capacity")
    )

    after = move(case("requested", "accepted"), wanted, TABLE, NOW).case

    assert [each.status for each in after.fulfilments] == ["rejected", "accepted"]
    assert after.referral.status == "active"


def test_the_same_status_again_is_no_move_but_adds_notes_and_outputs() -> None:
    again = Move(fulfilment="f1", to="accepted", actor="performer")
    first = move(case("accepted"), again, TABLE, NOW)
    assert first.case == case("accepted")
    assert not first.news

    noted = move(case("accepted"), replace(again, note=Note(text="called")), TABLE, NOW)
    assert noted.case.fulfilments[0].notes == (Note(text="called"),)
    assert noted.news[0].event == "note"


def test_outputs_are_appended_never_replaced() -> None:
    one, two = Activity(id="a"), Activity(id="b")
    start = case("in-progress")
    first = move(
        start,
        Move(fulfilment="f1", actor="performer", outcome=Outcome(activities=(one,), summary="x")),
        TABLE,
        NOW,
    ).case

    second = move(
        first,
        Move(
            fulfilment="f1", to="completed", actor="performer", outcome=Outcome(activities=(two,))
        ),
        TABLE,
        NOW,
    ).case

    outcome = second.fulfilments[0].outcome
    assert outcome == Outcome(activities=(one, two), summary="x")


def test_a_cancel_by_the_requester_ends_what_is_open_and_revokes_the_referral() -> None:
    decision = cancel(case("requested", "accepted"), None, TABLE, NOW)

    assert [each.status for each in decision.case.fulfilments] == ["cancelled", "cancelled"]
    assert decision.case.referral.status == "revoked"
    assert {each.to for each in decision.news} == {"performer"}


def test_a_cancel_that_comes_after_completion_is_recorded_and_changes_nothing() -> None:
    finished = Case(
        referral=Referral(id="r1", status="completed"),
        fulfilments=(Fulfilment(id="f1", status="completed", outcome=DONE),),
    )

    decision = cancel(finished, None, TABLE, NOW)

    assert decision.case == finished
    assert decision.refused is not None
    assert decision.refused.code == "referral.already-ended"
    assert [each.kind for each in decision.entries] == [
        "fulfilment.move-refused",
        "referral.cancel-late",
    ]


def test_every_order_of_a_history_ends_legally_and_never_reopens() -> None:
    history = ["accepted", "in-progress", "on-hold", "in-progress", "completed", "cancelled"]

    for order in set(permutations(history)):
        current, ended = case("requested"), None
        for status in order:
            decision = move(
                current,
                Move(fulfilment="f1", to=status, actor="performer", outcome=DONE, lenient=True),
                TABLE,
                NOW,
            )
            before, after = current.fulfilments[0].status, decision.case.fulfilments[0].status
            assert after == before or TABLE.allows(before or "", after or "", "performer")
            if ended:
                assert after == ended
            ended = after if after in TABLE.terminal else None
            current = decision.case


@given(
    before=st.sampled_from(STATUSES),
    after=st.sampled_from(STATUSES),
    actor=st.sampled_from(["requester", "performer"]),
)
def test_a_refusal_changes_nothing_and_says_why(before, after, actor) -> None:
    start = case(before)

    decision = move(
        start, Move(fulfilment="f1", to=after, actor=actor, outcome=DONE, lenient=True), TABLE, NOW
    )

    target = TABLE.normal(after)
    if target == before:
        return
    assert (decision.refused is None) == TABLE.allows(before, target, actor)
    if decision.refused:
        assert decision.case == start
        assert before in decision.refused.message
        assert decision.entries[0].kind == "fulfilment.move-refused"


def test_an_unknown_fulfilment_is_refused() -> None:
    decision = move(
        case("requested"), Move(fulfilment="nobody", to="accepted", actor="performer"), TABLE, NOW
    )

    assert decision.refused is not None
    assert decision.refused.code == "fulfilment.unknown"


@pytest.mark.parametrize("status", ["rejected", "cancelled", "on-hold", "failed"])
def test_every_status_that_owes_a_reason_has_reasons_to_choose_from(status) -> None:
    from adapter.referral.reasons import reasons_for

    assert "reason" in TABLE.needs(status)
    assert len(reasons_for(status)) >= 3
    for each in reasons_for(status):
        assert each.text["en"] != each.text["fr"]
        assert each.next_step["en"]
        assert each.next_step["fr"]
