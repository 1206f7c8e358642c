"""How two answers compare, and which forms of Questionnaire are said to be wrong."""

from __future__ import annotations

import copy
import time
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.questionnaire import check_response
from adapter.fhir.questionnaire_answers import compare
from adapter.fhir.questionnaire_patterns import ALL_TOGETHER, PatternError, Patterns

DATES = st.dates(date(1900, 1, 1), date(2100, 1, 1)).flatmap(
    lambda day: st.sampled_from([day.isoformat(), day.isoformat()[:7], day.isoformat()[:4]])
)


@given(DATES, DATES)
def test_comparing_dates_the_other_way_round_turns_the_answer(left: str, right: str) -> None:
    found, turned = compare("date", left, "date", right), compare("date", right, "date", left)
    assert (found is None) is (turned is None)
    assert found is None or turned is None or found == -turned


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(1, 5000))
def test_whole_days_are_always_ordered(day: date, later: int) -> None:
    other = (day + timedelta(days=later)).isoformat()
    assert compare("date", day.isoformat(), "date", other) == -1


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("2025", "2025-05", None),
        ("2025-05-01", "2025-05", None),
        ("2024-12-31", "2025", -1),
        ("2025-05-01", "2025-05-01", 0),
        ("2025-05-01T10:00:00Z", "2025-05-01T06:00:00-04:00", 0),
        ("2025-05-01T10:00:00Z", "2025-05-01T06:00:01-04:00", -1),
        ("9999-12-31", "9999", None),
        ("9999-12-31T23:59:59.999999Z", "2025", 1),
        ("2025-05-01T23:59:60Z", "2025-05-02", -1),
    ],
)
def test_dates_of_different_precision(left: str, right: str, expected: int | None) -> None:
    assert compare("dateTime", left, "dateTime", right) == expected


@pytest.mark.parametrize(
    ("kind", "left", "other_kind", "right", "expected"),
    [
        ("integer", 1, "decimal", 1.5, -1),
        ("decimal", 0.1, "decimal", 0.1, 0),
        ("integer", 1, "string", "1", None),
        ("Quantity", {"value": 1, "unit": "km"}, "Quantity", {"value": 2, "unit": "m"}, None),
        ("Quantity", {"value": 1, "comparator": "<"}, "Quantity", {"value": 2}, None),
        ("Quantity", {"value": 1}, "Quantity", {"value": 2}, -1),
        ("Coding", {"code": "a"}, "Coding", {"code": "b"}, None),
        ("Coding", {"system": "s", "code": "a"}, "Coding", {"code": "a"}, 0),
        ("Coding", {"display": "x"}, "Coding", {"display": "x"}, 0),
        ("Reference", {"reference": "A/1"}, "Reference", {"reference": "A/1"}, 0),
        ("Reference", {"display": "x"}, "Reference", {"display": "x"}, None),
        ("boolean", True, "boolean", True, 0),
        ("boolean", True, "boolean", False, None),
        ("time", "09:00:00", "time", "10:00:00", -1),
    ],
)
def test_values_compare_as_their_types_do(
    kind: str, left: Any, other_kind: str, right: Any, expected: int | None
) -> None:
    assert compare(kind, left, other_kind, right) == expected


def test_a_pattern_must_match_the_whole_text() -> None:
    assert Patterns().matches("[A-Z]+", "ABC")
    assert not Patterns().matches("[A-Z]+", "ABCd")


@pytest.mark.parametrize("pattern", ["(", "x" * 1001, "(a|a)+b"])
def test_a_pattern_that_cannot_be_used_is_said(pattern: str) -> None:
    with pytest.raises(PatternError):
        Patterns().matches(pattern, "a" * 60 + "!")


def test_all_patterns_of_a_response_together_have_an_end() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/regex"
    item = {
        "linkId": "a",
        "type": "string",
        "repeats": True,
        "extension": [{"url": url, "valueString": "(a|a)+b"}],
    }
    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "item": [{"linkId": "a", "answer": [{"valueString": "a" * 60 + "!"}] * 1000}],
    }
    started = time.perf_counter()
    issues = check_response(response, {"resourceType": "Questionnaire", "item": [item]})
    assert len(issues) == 1000
    assert {issue.code for issue in issues} == {"not-supported"}
    assert time.perf_counter() - started < 10 * ALL_TOGETHER  # without an end: 50 s


A = {"linkId": "a", "type": "boolean"}
FAULTY = [
    ([A, A], "Questionnaire.item[1].linkId"),
    ([{"type": "string"}], "Questionnaire.item[0].linkId"),
    ([{"linkId": "a", "type": "banana"}], "Questionnaire.item[0].type"),
    ([{"linkId": "a"}], "Questionnaire.item[0].type"),
    ([A | {"item": {}}], "Questionnaire.item[0].item"),
    (
        [A | {"enableWhen": [{"question": "z", "operator": "exists", "answerBoolean": True}]}],
        "Questionnaire.item[0].enableWhen[0].question",
    ),
    (
        [A | {"enableWhen": [{"question": "a", "operator": "~", "answerBoolean": True}]}],
        "Questionnaire.item[0].enableWhen[0]",
    ),
    (
        [A | {"enableWhen": [{"question": "a", "operator": "exists", "answerString": "yes"}]}],
        "Questionnaire.item[0].enableWhen[0]",
    ),
]


@pytest.mark.parametrize(("items", "expression"), FAULTY)
def test_a_fault_in_the_form_itself_is_said_where_it_is(
    items: list[dict[str, Any]], expression: str
) -> None:
    response = {"resourceType": "QuestionnaireResponse", "status": "completed"}
    issues = check_response(response, {"resourceType": "Questionnaire", "item": items})
    assert [issue.expression for issue in issues] == [expression]


def test_a_form_nested_without_end_is_refused_and_does_not_exhaust_the_stack() -> None:
    item: dict[str, Any] = {"linkId": "0", "type": "group"}
    for depth in range(1, 3000):
        item = {"linkId": str(depth), "type": "group", "item": [item]}
    issues = check_response(
        {"resourceType": "QuestionnaireResponse", "status": "completed"},
        {"resourceType": "Questionnaire", "item": [item]},
    )
    assert [issue.code for issue in issues] == ["processing"]


def test_conditions_that_ask_about_each_other_come_to_an_end() -> None:
    def asking(link_id: str, other: str) -> dict[str, Any]:
        when = {"question": other, "operator": "exists", "answerBoolean": True}
        return {"linkId": link_id, "type": "boolean", "enableWhen": [when]}

    questionnaire = {"resourceType": "Questionnaire", "item": [asking("a", "b"), asking("b", "a")]}
    answered = [{"linkId": link, "answer": [{"valueBoolean": True}]} for link in "ab"]
    response = {"resourceType": "QuestionnaireResponse", "status": "completed"}
    assert check_response(response, questionnaire) == []
    assert check_response(response | {"item": answered}, questionnaire) == []


def test_an_item_with_an_expression_is_not_demanded_but_warned_about() -> None:
    url = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression"
    expression = {"language": "text/fhirpath", "expression": "true"}
    item = A | {"required": True, "extension": [{"url": url, "valueExpression": expression}]}
    issues = check_response(
        {"resourceType": "QuestionnaireResponse", "status": "completed"},
        {"resourceType": "Questionnaire", "item": [item]},
    )
    assert [(issue.severity, issue.code) for issue in issues] == [("warning", "not-supported")]


def test_many_items_that_ask_about_one_group_take_time_in_proportion() -> None:
    def group(link: str, *items: dict[str, Any]) -> dict[str, Any]:
        return {"linkId": link, "type": "group", "repeats": True, "item": list(items)}

    when = {"question": "x", "operator": "=", "answerBoolean": True}
    asking = {"linkId": "y", "type": "string", "enableWhen": [when]}
    form = group("g", {"linkId": "x", "type": "boolean"}), group("h", asking)

    def seconds(count: int) -> float:
        yes = {"linkId": "g", "item": [{"linkId": "x", "answer": [{"valueBoolean": True}]}]}
        word = {"linkId": "h", "item": [{"linkId": "y", "answer": [{"valueString": "a"}]}]}
        items = [copy.deepcopy(item) for item in (yes, word) for _ in range(count)]
        response = {"resourceType": "QuestionnaireResponse", "status": "completed", "item": items}
        started = time.perf_counter()
        assert check_response(response, {"resourceType": "Questionnaire", "item": list(form)}) == []
        return time.perf_counter() - started

    assert min(seconds(2000) for _ in range(3)) < 40 * min(seconds(200) for _ in range(3))


def _asked_backwards(length: int, questions: int, answers: int) -> list[str]:
    """The codes of errors for a chain of conditions, last item first, and many answers to one."""
    chain = [
        {
            "linkId": f"c{number}",
            "type": "integer",
            "enableWhen": [
                {"question": f"c{number - 1}", "operator": "exists", "answerBoolean": True}
            ],
        }
        for number in range(1, length)
    ]
    many = [
        {
            "linkId": f"m{number}",
            "type": "integer",
            "enableWhen": [{"question": "c0", "operator": "=", "answerInteger": -number - 1}],
        }
        for number in range(questions)
    ]
    first = {"linkId": "c0", "type": "integer", "repeats": True}
    form = {"resourceType": "Questionnaire", "item": [*reversed(chain), *many, first]}
    response = {
        "resourceType": "QuestionnaireResponse",
        "status": "completed",
        "item": [
            *({"linkId": i["linkId"], "answer": [{"valueInteger": 1}]} for i in reversed(chain)),
            {"linkId": "c0", "answer": [{"valueInteger": n} for n in range(answers)]},
        ],
    }
    return [issue.code for issue in check_response(response, form)]


def test_conditions_without_end_are_refused_and_do_not_exhaust_the_stack_or_the_clock() -> None:
    assert _asked_backwards(20, 20, 20) == []
    assert _asked_backwards(2000, 0, 1) == ["too-costly"]
    assert _asked_backwards(2, 600, 600) == ["too-costly"]
