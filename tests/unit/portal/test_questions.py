"""Any questionnaire becomes a form, and the form becomes answers that hold against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.instruments import instrument, instruments
from adapter.fhir.questionnaire import check_response
from adapter.portal.answers import response
from adapter.portal.questions import question_form, read, shipped, walk
from adapter.portal.typed import PROBLEMS
from adapter.portal.words import words

EN = words("en")
YES = {"valueCoding": {"system": "urn:x", "code": "y", "display": "Yes, often"}}
NO = {"valueCoding": {"system": "urn:x", "code": "n", "display": "No"}}

EVERYTHING = {
    "resourceType": "Questionnaire",
    "url": "https://example.org/everything",
    "version": "1",
    "status": "active",
    "item": [
        {"linkId": "hello", "type": "display", "text": "Some words"},
        {
            "linkId": "group",
            "type": "group",
            "text": "A group",
            "item": [
                {"linkId": "flag", "type": "boolean", "text": "True?", "required": True},
                {"linkId": "count", "type": "integer", "text": "How many?"},
                {"linkId": "share", "type": "decimal", "text": "How much?"},
            ],
        },
        {
            "linkId": "often",
            "type": "choice",
            "text": "Often?",
            "answerOption": [YES, NO],
            "item": [{"linkId": "more", "type": "text", "text": "Tell more"}],
        },
        {
            "linkId": "which",
            "type": "choice",
            "text": "Which?",
            "repeats": True,
            "answerOption": [{"valueString": "red"}, {"valueString": "blue"}],
        },
        {
            "linkId": "open",
            "type": "open-choice",
            "text": "Which, or your own?",
            "answerOption": [{"valueInteger": 1}, {"valueInteger": 2}],
        },
        {"linkId": "name", "type": "string", "text": "Name", "maxLength": 5},
        {"linkId": "born", "type": "date", "text": "When?"},
        {"linkId": "hour", "type": "time", "text": "What time?"},
        {"linkId": "site", "type": "url", "text": "Where?"},
        {"linkId": "scan", "type": "attachment", "text": "Scan"},
        {
            "linkId": "why-not",
            "type": "text",
            "text": "Why not?",
            "required": True,
            "enableWhen": [
                {
                    "question": "often",
                    "operator": "=",
                    "answerCoding": {"system": "urn:x", "code": "n"},
                }
            ],
        },
    ],
}
FORM = question_form(EVERYTHING, "en")
FULL = {
    "q.flag": ["true"],
    "q.count": ["7"],
    "q.share": ["0,5"],
    "q.often": ["n"],
    "q.more": ["more"],
    "q.which": ["red", "blue"],
    "q.open.other": ["three"],
    "q.name": ["Maria"],
    "q.born": ["2026-11-22"],
    "q.hour": ["14:30"],
    "q.site": ["https://example.org"],
    "q.why-not": ["because"],
}


def answers(values):
    reading = read(FORM, values, EN)
    assert reading.problems == {}
    return reading.answers


def found(items):
    flat = {}
    for item in items:
        flat[item.link_id] = item.answers
        flat.update(found(item.items))
    return flat


def test_every_kind_of_item_is_shown_but_those_without_a_plain_control():
    kinds = {control.question.link_id: control.kind for control in walk(FORM.controls)}
    assert kinds["flag"] == kinds["often"] == kinds["open"] == "choice"
    assert kinds["count"] == kinds["share"] == "number"
    assert FORM.left_out == ("scan",)


def test_a_full_form_becomes_answers_of_the_right_types():
    made = answers(FULL)
    by_id = found(made.items)
    assert made.status == "completed"
    assert made.questionnaire == "https://example.org/everything|1"
    assert by_id["flag"][0].boolean is True
    assert by_id["count"][0].integer == 7
    assert by_id["share"][0].decimal == "0.5"
    assert by_id["often"][0].coding.code == "n"
    assert by_id["more"][0].string == "more"
    assert [each.string for each in by_id["which"]] == ["red", "blue"]
    assert by_id["open"][0].string == "three"
    assert by_id["born"][0].date == "2026-11-22"
    assert by_id["hour"][0].time == "14:30:00"
    assert by_id["site"][0].uri == "https://example.org"


def test_an_offered_integer_stays_an_integer():
    made = answers({"q.flag": ["false"], "q.open": ["2"]})
    assert found(made.items)["open"][0].integer == 2


def test_an_item_that_its_condition_switches_off_does_not_count():
    assert "why-not" not in found(answers({**FULL, "q.often": ["y"]}).items)
    assert "why-not" in found(answers(FULL).items)


def test_an_enabled_required_item_that_is_blank_leaves_the_response_stopped():
    assert answers({**FULL, "q.why-not": [""]}).status == "stopped"


def test_a_required_question_wants_a_word_that_it_is_skipped():
    assert read(FORM, {}, EN).problems.keys() == {"q.flag"}
    assert answers({"q.flag": [""]}).status == "stopped"
    assert answers({"q.flag": [""]}).items == ()


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("q.flag", "perhaps", "choice-unknown"),
        ("q.often", "z", "choice-unknown"),
        ("q.count", "many", "number-whole"),
        ("q.count", "9" * 10, "number-whole"),
        ("q.share", "1e5", "number"),
        ("q.born", "yesterday", "date"),
        ("q.born", "2026-02-30", "date"),
        ("q.hour", "25:00", "time"),
    ],
)
def test_an_answer_of_the_wrong_kind_is_a_problem_of_its_field(field, value, problem):
    problems = read(FORM, {**FULL, field: [value]}, EN).problems
    assert problems == {field: PROBLEMS[problem]}


def test_a_text_that_is_too_long_says_how_long_it_may_be():
    problems = read(FORM, {**FULL, "q.name": ["Magdalena"]}, EN).problems
    assert problems == {"q.name": "Write less: at most 5 characters."}


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", instruments())
def test_every_shipped_questionnaire_is_shown_whole(name, language):
    form = shipped(name, language)
    asked = [q for q in form.form.questions.values() if not q.hidden]
    shown = {control.question.link_id for control in walk(form.controls)}
    assert {q.link_id for q in asked} - shown == set(form.left_out) == set()
    for control in walk(form.controls):
        assert control.label == control.question.definition.get("text", "")


def test_the_closing_questionnaire_speaks_the_readers_language():
    labels = [control.label for control in walk(shipped("program-outcome", "fr").controls)]
    english = [control.label for control in walk(shipped("program-outcome", "en").controls)]
    assert not set(labels) & set(english)


values = st.dictionaries(
    st.sampled_from([*FULL, "q.open", "q.which.skip", "q.nothing", "q.flag.skip"]),
    st.lists(
        st.one_of(
            st.sampled_from(["", "true", "false", "y", "n", "1", "red", "2026-11-22", "14:30"]),
            st.text(max_size=12),
        ),
        max_size=3,
    ),
)


@given(values)
def test_whatever_is_posted_gives_answers_that_hold_or_problems_that_say_why(posted):
    reading = read(FORM, posted, EN)
    assert all(name.startswith("q.") for name in reading.problems)
    if not reading.problems:
        assert reading.answers.status in ("completed", "stopped")


@given(values)
def test_answers_without_problems_pass_the_check_of_a_response(posted):
    reading = read(FORM, posted, EN)
    if reading.problems:
        return
    again = response(FORM.form, entries_of(reading.answers.items))
    again["status"] = reading.answers.status
    assert [issue for issue in check_response(again, EVERYTHING) if issue.fails] == []


def entries_of(items):
    """The answers as entries again, as far as this questionnaire needs it."""
    made = {}
    kinds = {
        "boolean": "boolean", "integer": "integer", "decimal": "decimal", "date": "date",
        "time": "time", "uri": "uri", "string": "string",
    }  # fmt: skip
    for link_id, given_answers in found(items).items():
        for answer in given_answers:
            if answer.coding:
                coding = {"system": answer.coding.system, "code": answer.coding.code}
                made.setdefault(link_id, []).append(
                    ("Coding", {**coding, "display": answer.coding.display})
                )
                continue
            name = next(each for each in kinds if getattr(answer, each) is not None)
            value = getattr(answer, name)
            made.setdefault(link_id, []).append(
                (kinds[name], float(value) if name == "decimal" else value)
            )
    return made


def test_the_shipped_questionnaire_is_not_changed_by_showing_it():
    before = instrument("program-outcome")
    shipped("program-outcome", "fr")
    assert instrument("program-outcome") == before
