"""When a person is asked what: points, windows, skips, and the words to read out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.instruments import instrument, instruments
from adapter.fhir.phone_script import NoWordsError, phone_script
from adapter.fhir.questionnaire_form import read_form
from adapter.fhir.schedule import (
    MOST_QUESTIONS,
    Answer,
    ScheduleError,
    plan,
    read_schedule,
    standard,
)

START = date(2025, 1, 31)


def questions(name: str) -> Iterator[Mapping[str, Any]]:
    for each in read_form(instrument(name)).questions.values():
        if each.definition["type"] not in ("group", "display"):
            yield each.definition


def states(today: date, *answers: Answer, name: str = "ons4") -> list[str]:
    return [a.state for a in plan(standard(), START, today, answers) if a.instrument == name]


def answered(day: date, status: str = "completed", name: str = "ons4") -> Answer:
    form = instrument(name)
    return Answer(f"{form['url']}|{form['version']}", day, status)


def test_the_shipped_schedule_asks_at_0_3_6_and_12_months_and_at_most_ten_questions() -> None:
    points = standard().points
    assert [point.month for point in points] == [0, 3, 6, 12]
    for point in points:
        asked = [each for name in point.instruments for each in questions(name)]
        assert 0 < len(asked) <= MOST_QUESTIONS


def test_a_person_may_skip_every_question() -> None:
    for point in standard().points:
        for name in point.instruments:
            assert not any(each.get("required") for each in questions(name)), name


def test_the_day_is_counted_in_months_and_a_short_month_ends_earlier() -> None:
    days = [point.day(START) for point in standard().points]
    assert days == [date(2025, 1, 31), date(2025, 4, 30), date(2025, 7, 31), date(2026, 1, 31)]
    assert standard().points[1].day(date(2024, 11, 30)) == date(2025, 2, 28)


def test_it_is_due_on_the_days_of_its_window_and_missed_after() -> None:
    opens, closes = standard().points[1].window(START)
    day = timedelta(days=1)
    assert states(opens - day)[1] == "later"
    assert states(opens)[1] == states(closes)[1] == "due"
    assert states(closes + day)[1] == "missed"


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("completed", "answered"),
        ("amended", "answered"),
        ("stopped", "skipped"),
        ("in-progress", "due"),
        ("entered-in-error", "due"),
    ],
)
def test_the_status_of_the_response_decides(status: str, state: str) -> None:
    today = date(2025, 5, 10)
    assert states(today, answered(date(2025, 5, 1), status))[1] == state


def test_an_answer_counts_for_its_own_instrument_and_time_alone() -> None:
    today = date(2025, 5, 10)
    given_ = answered(date(2025, 5, 1))
    assert states(today, given_) == ["missed", "answered", "later", "later"]
    assert states(today, given_, name="self-rated-health")[1] == "due"
    assert states(today, answered(date(2025, 3, 20)))[1] == "due"


def test_who_skipped_and_then_answered_has_answered() -> None:
    today = date(2025, 5, 10)
    both = answered(date(2025, 5, 1), "stopped"), answered(date(2025, 5, 8))
    assert states(today, *both)[1] == "answered"


@given(
    st.dates(date(1990, 1, 1), date(2090, 1, 1)),
    st.integers(-60, 500),
    st.lists(st.tuples(st.integers(-60, 500), st.sampled_from(["completed", "stopped"]))),
)
def test_nobody_is_asked_twice_at_once_and_no_answer_counts_twice(
    start: date, later: int, given_: list[tuple[int, str]]
) -> None:
    answers = [answered(start + timedelta(days=d), status) for d, status in given_]
    asked = plan(standard(), start, start + timedelta(days=later), answers)
    for name in standard().points[0].instruments:
        own = [each for each in asked if each.instrument == name]
        assert sum(each.state == "due" for each in own) <= 1
        assert [each.opens for each in own] == sorted(each.opens for each in own)
        assert all(a.closes < b.opens for a, b in pairwise(own))
    met = sum(each.state in ("answered", "skipped") for each in asked)
    assert met <= len({answer.day for answer in answers})


POINT = "[[point]]\nmonth = {0}\nopens = 0\ncloses = {1}\ninstruments = {2}\n"
TOP = '[schedule]\nname = "own"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[schedule", "own.toml: "),
        (TOP, "[[point]]"),
        (POINT.format(0, 1, '["ons4"]'), "[schedule]"),
        (TOP + POINT.format(0, 1, '["nothing"]'), "point 1: no instrument nothing"),
        (TOP + POINT.format(-1, 1, '["ons4"]'), "point 1: month, opens and closes"),
        (TOP + POINT.format(0, 1, '["ons4", "swemwbs"]'), "point 1: it asks 11 questions"),
        (TOP + POINT.format(0, 1, "[]"), "point 1: it asks 0 questions"),
        (
            TOP + POINT.format(1, 40, '["ons4"]') + POINT.format(2, 1, '["ons4"]'),
            "months 1 and 2 meet",
        ),
    ],
)
def test_a_schedule_that_cannot_be_used_says_where_and_why(text: str, said: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        read_schedule(text, "own.toml")
    assert said in str(refused.value)
    assert str(refused.value).startswith("own.toml")


@pytest.mark.parametrize("language", ["en", "fr", "fr-CA", "so"])
def test_the_script_has_every_question_and_option_in_its_language(language: str) -> None:
    names = standard().points[0].instruments
    text = " ".join(phone_script([instrument(name) for name in names], language).split())
    french = language.startswith("fr")
    number = 0
    for name in names:
        for each in questions(name):
            number += 1
            words = each["text"]
            if french:
                parts = each["_text"]["extension"][0]["extension"]
                words = next(p["valueString"] for p in parts if p["url"] == "content")
            assert f"{number}. {' '.join(words.split())}" in text
    assert text.count("[ ] sautée" if french else "[ ] skipped") == number
    assert ("peut sauter toute question" in text) is french


@pytest.mark.parametrize("name", instruments())
def test_licensed_words_are_never_read_out(name: str) -> None:
    form = instrument(name)
    if all(each.get("text") for each in questions(name)):
        assert phone_script([form], "en").count("[ ] skipped") == len(list(questions(name)))
    else:
        with pytest.raises(NoWordsError, match="licensed"):
            phone_script([form], "en")


def test_a_condition_names_the_question_by_its_number() -> None:
    colour = {"system": "urn:x", "code": "r", "display": "Red"}
    form = {
        "resourceType": "Questionnaire",
        "title": "Colours",
        "item": [
            {"linkId": "a", "type": "boolean", "text": "Paint?"},
            {
                "linkId": "b",
                "type": "open-choice",
                "text": "Which?",
                "answerOption": [{"valueCoding": colour}],
                "enableWhen": [{"question": "a", "operator": "=", "answerBoolean": True}],
            },
            {
                "linkId": "c",
                "type": "string",
                "text": "Why?",
                "enableWhen": [{"question": "b", "operator": "=", "answerCoding": colour}],
            },
        ],
    }
    text = phone_script([form], "en")
    assert "Only if the answer to 1 was Yes:" in text
    assert "Only if the answer to 2 was Red:" in text
    assert "Something else" in text
