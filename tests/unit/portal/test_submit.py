"""What a posted form does, and how it comes back when it cannot be done."""

from __future__ import annotations

import pytest
from html_page import read

from adapter.referral.lifecycle import STATUSES, lifecycle
from adapter.referral.reasons import reasons, reasons_for

CLOSING = {
    "do": "complete",
    "key": "k-1",
    "q.sessions-attended": "6",
    "q.what-mattered-met": "yes",
    "q.enrolment": "enrolled",
}


def test_accepting_moves_once_and_goes_back_to_the_page(send, desk):
    page = send({"do": "accept", "key": "k-1"})
    assert (page.status, page.headers["Location"]) == (303, "/l/x/referral?lang=en")
    [move] = desk.moves
    assert (move.to, move.actor, move.fulfilment) == ("accepted", "performer", "work-1")


def test_the_same_form_twice_acts_once(send, desk):
    assert [send({"do": "accept", "key": "k-1"}).status for _ in range(3)] == [303] * 3
    assert len(desk.moves) == 1


def test_every_form_of_every_page_has_a_key_of_its_own(show):
    keys = [form["key"] for _ in range(2) for form in read(show().body).forms]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("code", [each.code for each in reasons_for("rejected")])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_each_reason_to_decline_is_sent_as_a_code_with_words(send, desk, code, language):
    page = send({"do": "decline", "reason": code, "words": "In our words."}, language=language)
    assert page.status == 303
    assert desk.work.status == "rejected"
    assert (desk.work.reason.code, desk.work.reason.text) == (code, "In our words.")


def test_a_reason_without_words_gets_those_of_the_list_in_the_readers_language(send, desk):
    send({"do": "decline", "reason": "no-capacity"}, language="fr")
    assert desk.work.reason.text == reasons()["no-capacity"].text["fr"]


def test_a_suggestion_goes_along_with_the_reason(send, desk):
    send({"do": "decline", "reason": "wrong-service", "suggestion": "  Choir on Thursdays "})
    assert desk.work.reason.text.endswith("\nSuggested program: Choir on Thursdays")


@pytest.mark.parametrize(
    ("form", "field", "text"),
    [
        ({}, "reason", "Choose a reason."),
        ({"reason": ""}, "reason", "Choose a reason."),
        ({"reason": "deceased"}, "reason", "Choose a reason."),
        ({"reason": "other", "words": "  "}, "words", "Say the reason in your own words."),
        ({"reason": "no-capacity", "words": "x" * 4001}, "words", "at most 4000 characters"),
    ],
)
def test_a_decline_that_lacks_something_says_what_and_where(send, desk, form, field, text):
    page = send({"do": "decline", **form})
    parsed = read(page.body)
    assert page.status == 422
    assert desk.moves == []
    assert text in parsed.text
    assert f"decline-{field}" in parsed.references
    assert f"decline-{field}-fault" in parsed.ids
    assert parsed.dangling == []
    assert parsed.title.startswith("Error:")


def test_what_was_typed_comes_back_as_it_was(send):
    typed = 'Line one\r\n\r\n<b>two</b> & "three"'
    page = read(send({"do": "decline", "words": typed, "suggestion": "Choir & co"}).body)
    assert page.values["decline-words"] == 'Line one\n\n<b>two</b> & "three"'
    assert page.values["decline-suggestion"] == "Choir & co"
    assert page.values["cancel-words"] == ""


def test_a_chosen_reason_stays_chosen_in_its_own_form_alone(send):
    page = send({"do": "decline", "reason": "client-declined", "words": "x" * 4001})
    assert read(page.body).checked == {("reason", "client-declined")}
    assert page.body.count(b" checked") == 1


@pytest.mark.parametrize(
    ("action", "status"), [("hold", "on-hold"), ("fail", "failed"), ("cancel", "cancelled")]
)
def test_holding_failing_and_cancelling_need_a_reason(send, desk, at, action, status):
    at("accepted")
    assert send({"do": action}).status == 422
    code = reasons_for(status)[0].code
    assert send({"do": action, "reason": code}).status == 303
    assert (desk.work.status, desk.work.reason.code) == (status, code)


def test_a_message_reaches_the_clinic_and_changes_no_status(send, desk):
    assert send({"do": "note", "message": " "}).status == 422
    assert send({"do": "note", "message": "May she bring her son?"}).status == 303
    [move] = desk.moves
    assert move.to is None
    assert (move.note.text, move.note.author) == ("May she bring her son?", "Example Garden Club")
    assert desk.work.status == "requested"


def test_closing_makes_an_outcome(send, desk, at):
    at("accepted")
    extra = {
        "q.give-back": "later",
        "q.language-received": "fr",
        "q.summary": "Planted beans.",
        "q.next-step": "Comes back in spring.",
        "activity": "Weekly gardening",
    }
    assert send({**CLOSING, **extra}).status == 303
    outcome = desk.work.outcome
    assert outcome.enrolment == "enrolled"
    assert outcome.language_received == "fr"
    assert outcome.goal_progress == "yes"
    assert outcome.give_back.invitation == "later"
    assert outcome.summary == "Planted beans."
    assert outcome.next_step == "Comes back in spring."
    assert outcome.activities[0].code.text == "Weekly gardening"
    [measure] = outcome.measures
    assert measure.status == "completed"
    assert measure.authored == "2026-11-22T15:04:00+00:00"
    assert measure.author == "Example Garden Club"


def test_sessions_without_words_for_them_are_sessions_of_the_program(send, desk, at):
    at("accepted")
    send(CLOSING)
    [activity] = desk.work.outcome.activities
    assert (activity.code.text, activity.status) == ("Thursday Garden Club", "completed")
    assert activity.performed.end == "2026-11-22"


def test_no_session_makes_no_activity(send, desk, at):
    at("accepted")
    send({**CLOSING, "q.sessions-attended": "0"})
    assert desk.work.outcome.activities == ()


def test_any_question_may_be_skipped_and_the_gap_is_told(send, desk, at):
    at("accepted")
    form = {**CLOSING, "q.what-mattered-met": "", "q.sessions-attended": ""}
    assert send(form).status == 422
    assert send({**form, "q.sessions-attended.skip": "1"}).status == 303
    [measure] = desk.work.outcome.measures
    assert measure.status == "stopped"
    assert [item.link_id for item in measure.items] == ["enrolment"]


def test_closing_with_nothing_at_all_is_not_closing(send, desk, at):
    at("accepted")
    blank = {
        "do": "complete",
        "q.sessions-attended.skip": "1",
        "q.what-mattered-met": "",
        "q.enrolment": "",
    }
    page = send(blank)
    assert page.status == 422
    assert "Answer at least one question" in read(page.body).text
    assert desk.moves == []
    assert send({**blank, "q.summary": "She never came."}).status == 303


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("six", "Write a whole number"),
        ("-1", "0 or more"),
        ("1000", "999 or less"),
        ("6.5", "Write a whole number"),
        ("٣", "Write a whole number"),
    ],
)
def test_a_number_that_cannot_be_is_asked_for_again(send, at, answer, text):
    at("accepted")
    page = read(send({**CLOSING, "q.sessions-attended": answer}).body)
    assert text in page.text
    assert page.values["complete-q.sessions-attended"] == answer


def test_an_answer_that_was_not_offered_is_refused(send, desk, at):
    at("accepted")
    assert send({**CLOSING, "q.enrolment": "married"}).status == 422
    assert desk.moves == []


def test_a_move_that_the_lifecycle_refuses_comes_back_with_what_was_typed(send, desk, at):
    at("cancelled")
    page = send({"do": "decline", "reason": "no-capacity", "words": "Too late"})
    assert page.status == 409
    assert "The referral changed" in read(page.body).text
    assert desk.work.status == "cancelled"


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize(
    "action", ["accept", "start", "complete", "decline", "hold", "fail", "cancel"]
)
def test_no_form_gets_past_the_lifecycle(send, desk, at, status, action):
    at(status)
    to = {
        "accept": "accepted", "start": "in-progress", "complete": "completed",
        "decline": "rejected", "hold": "on-hold", "fail": "failed", "cancel": "cancelled",
    }[action]  # fmt: skip
    reason = next((each.code for each in reasons_for(to)), "")
    page = send({**CLOSING, "do": action, "reason": reason})
    if to == status:
        assert page.status == 303
    elif lifecycle().allows(status, to, "performer"):
        assert (page.status, desk.work.status) == (303, to)
    else:
        assert (page.status, desk.work.status) == (409, status)


@pytest.mark.parametrize("form", [{}, {"do": "explode"}, {"do": ""}, {"do": ["x", "accept"]}])
def test_a_form_that_asks_for_nothing_known_shows_the_page(send, desk, form):
    assert send(form).status == 200
    assert desk.moves == []


def test_asking_for_another_language_keeps_what_was_typed_and_sends_nothing(send, desk):
    page = send({"do": "accept", "show": "fr"}, language="fr")
    assert page.status == 200
    assert desk.moves == []
    typed = send({"do": "decline", "words": "Pas de place", "show": "fr"}, language="fr")
    assert read(typed.body).values["decline-words"] == "Pas de place"


def test_a_draft_that_comes_back_after_a_pause_is_shown_and_not_sent(send, desk):
    page = send({"do": "decline", "reason": "no-capacity"}, problem="session-expired")
    assert page.status == 200
    assert read(page.body).checked == {("reason", "no-capacity")}
    assert desk.moves == []


def test_a_form_for_a_fulfilment_of_another_site_finds_nothing(send, desk):
    assert send({"do": "accept"}, fulfilment="work-9").status == 404
    assert desk.moves == []


def test_only_the_status_may_be_shared_is_said_where_the_rest_is_asked(show, desk, at):
    from adapter.referral.model import Consent

    desk.set(consent=Consent(share_back="codes"))
    at("accepted")
    assert "The person agreed to share only the status." in read(show().body).text


def test_a_form_that_is_done_is_no_view_and_one_that_is_shown_again_is_one(send, desk):
    send({"do": "accept", "key": "k-1"})
    assert desk.views == []
    send({"do": "complete", "key": "k-2"})
    assert desk.views == ["link:0123456789abcdef"]


def test_a_faulty_form_for_what_is_not_offered_any_more_says_that_it_changed(send, desk):
    send({"do": "accept", "key": "k-1"})
    shown = send({"do": "decline", "key": "k-2"})
    assert shown.status == 409
    assert b"Please correct this first" not in shown.body
    assert len(desk.moves) == 1
