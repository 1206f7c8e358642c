"""Laws: a rightly answered form has no issue, one fault has one, rubbish never raises."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapter.fhir.questionnaire import check_response

FORMS = settings(max_examples=60)

BASE = "https://social-prescribing-adapter.example/fhir"
CORE = "http://hl7.org/fhir/StructureDefinition/"
SYSTEM = f"{BASE}/CodeSystem/test-colour"
QUESTION_TYPES = [
    "boolean",
    "decimal",
    "integer",
    "date",
    "time",
    "string",
    "text",
    "url",
    "choice",
    "open-choice",
    "quantity",
]
COLOURS = ["red", "green", "blue"]

Made = tuple[dict[str, Any], dict[str, Any]]
"""An item of the Questionnaire and the item of the response that answers it."""


def _limited(item: dict[str, Any], name: str, value: dict[str, Any]) -> None:
    item.setdefault("extension", []).append({"url": CORE + name, **value})


@st.composite
def _answer(draw: st.DrawFn, item: dict[str, Any]) -> dict[str, Any]:
    kind = item["type"]
    if kind == "boolean":
        return {"valueBoolean": draw(st.booleans())}
    if kind == "decimal":
        return {"valueDecimal": draw(st.integers(0, 1000)) / 8}
    if kind == "integer":
        return {"valueInteger": draw(st.integers(0, 100))}
    if kind == "date":
        return {"valueDate": draw(st.dates()).isoformat().zfill(10)}
    if kind == "time":
        return {"valueTime": draw(st.times()).replace(microsecond=0).isoformat()}
    if kind == "url":
        return {"valueUri": f"https://example.org/{draw(st.integers(0, 9))}"}
    if kind == "quantity":
        return {"valueQuantity": {"value": draw(st.integers(0, 50)), "unit": "km"}}
    if kind == "choice" or (kind == "open-choice" and draw(st.booleans())):
        return {"valueCoding": {"system": SYSTEM, "code": draw(st.sampled_from(COLOURS))}}
    return {"valueString": draw(st.text("abc é", min_size=1, max_size=20)) + "."}


@st.composite
def _question(draw: st.DrawFn, link_id: str) -> Made:
    kind = draw(st.sampled_from(QUESTION_TYPES))
    item: dict[str, Any] = {"linkId": link_id, "text": link_id, "type": kind}
    if kind in ("choice", "open-choice"):
        item["answerOption"] = [{"valueCoding": {"system": SYSTEM, "code": c}} for c in COLOURS]
    if kind == "integer":
        _limited(item, "minValue", {"valueInteger": 0})
        _limited(item, "maxValue", {"valueInteger": 100})
    if kind in ("string", "text"):
        item["maxLength"] = 21
    item["required"] = draw(st.booleans())
    item["repeats"] = draw(st.booleans())
    count = draw(st.integers(1, 3)) if item["repeats"] else 1
    answers = [draw(_answer(item)) for _ in range(count)]
    return item, {"linkId": link_id, "answer": answers}


@st.composite
def _group(draw: st.DrawFn, link_id: str, depth: int) -> Made:
    made = draw(_items(f"{link_id}.", depth - 1))
    item = {
        "linkId": link_id,
        "type": "group",
        "required": draw(st.booleans()),
        "item": [definition for definition, _ in made],
    }
    return item, {"linkId": link_id, "item": [answer for _, answer in made]}


@st.composite
def _items(draw: st.DrawFn, prefix: str, depth: int) -> list[Made]:
    made: list[Made] = []
    for index in range(draw(st.integers(1, 4))):
        link_id = f"{prefix}{index}"
        if depth > 0 and draw(st.integers(0, 3)) == 0:
            made.append(draw(_group(link_id, depth)))
        else:
            made.append(draw(_question(link_id)))
    return made


@st.composite
def filled_forms(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A Questionnaire, up to three groups deep, and a complete response to it."""
    made = draw(_items("q", 3))
    questionnaire = {
        "resourceType": "Questionnaire",
        "url": f"{BASE}/Questionnaire/made",
        "status": "active",
        "item": [definition for definition, _ in made],
    }
    response = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": questionnaire["url"],
        "status": "completed",
        "item": [answer for _, answer in made],
    }
    return questionnaire, response


Pair = tuple[dict[str, Any], dict[str, Any]]
"""A definition in the Questionnaire, and the item that answers it."""


def pairs(definitions: list[Any], items: list[Any]) -> Iterator[Pair]:
    for definition, item in zip(definitions, items, strict=True):
        yield definition, item
        if definition["type"] == "group":
            yield from pairs(definition["item"], item["item"])


def wrong_type(definition: dict[str, Any], item: dict[str, Any]) -> None:
    item["answer"][0] = {"valueAttachment": {"title": "synthetic"}}


def unknown_link(definition: dict[str, Any], item: dict[str, Any]) -> None:
    item["linkId"] = "no-such-item"


def one_answer_too_many(definition: dict[str, Any], item: dict[str, Any]) -> None:
    assume(not definition["repeats"])
    item["answer"] *= 2


def answer_gone(definition: dict[str, Any], item: dict[str, Any]) -> None:
    assume(definition["required"])
    del item["answer"]


def empty_answer(definition: dict[str, Any], item: dict[str, Any]) -> None:
    item["answer"][0] = {}


def option_not_offered(definition: dict[str, Any], item: dict[str, Any]) -> None:
    assume("answerOption" in definition)
    item["answer"][0] = {"valueCoding": {"system": SYSTEM, "code": "no-colour"}}


def too_long(definition: dict[str, Any], item: dict[str, Any]) -> None:
    assume("maxLength" in definition)
    item["answer"][0] = {"valueString": "x" * 22}


def too_large(definition: dict[str, Any], item: dict[str, Any]) -> None:
    assume(definition["type"] == "integer")
    item["answer"][0] = {"valueInteger": 101}


FAULTS = [
    wrong_type,
    unknown_link,
    one_answer_too_many,
    answer_gone,
    empty_answer,
    option_not_offered,
    too_long,
    too_large,
]


@FORMS
@given(filled_forms())
def test_a_rightly_answered_form_has_no_issue(made: Pair) -> None:
    questionnaire, response = made
    assert check_response(response, questionnaire) == []


@FORMS
@given(filled_forms(), st.data(), st.sampled_from(FAULTS))
def test_one_fault_is_found_where_it_is(
    made: Pair, data: st.DataObject, fault: Callable[[dict[str, Any], dict[str, Any]], None]
) -> None:
    questionnaire, response = copy.deepcopy(made)
    questions = [
        pair
        for pair in pairs(questionnaire["item"], response["item"])
        if pair[0]["type"] != "group"
    ]
    definition, item = data.draw(st.sampled_from(questions))
    fault(definition, item)
    issues = check_response(response, questionnaire)
    assert issues
    assert all(issue.severity == "error" for issue in issues)


@FORMS
@given(filled_forms(), st.data())
def test_swapping_two_items_is_found(made: Pair, data: st.DataObject) -> None:
    questionnaire, response = copy.deepcopy(made)
    assume(len(response["item"]) > 1)
    index = data.draw(st.integers(0, len(response["item"]) - 2))
    items = response["item"]
    items[index], items[index + 1] = items[index + 1], items[index]
    assert [issue.expression for issue in check_response(response, questionnaire)] == [
        f"QuestionnaireResponse.item[{index + 1}]"
    ]


@FORMS
@given(filled_forms(), st.data())
def test_an_answer_behind_a_closed_condition_is_found(made: Pair, data: st.DataObject) -> None:
    questionnaire, response = copy.deepcopy(made)
    gate = {"linkId": "gate", "type": "boolean"}
    index = data.draw(st.integers(0, len(questionnaire["item"]) - 1))
    definition = questionnaire["item"][index]
    definition["enableWhen"] = [{"question": "gate", "operator": "=", "answerBoolean": True}]
    questionnaire["item"].insert(0, gate)
    open_ = data.draw(st.booleans())
    response["item"].insert(0, {"linkId": "gate", "answer": [{"valueBoolean": open_}]})
    expected = [] if open_ else [f"QuestionnaireResponse.item[{index + 1}]"]
    assert [i.expression for i in check_response(response, questionnaire)] == expected


@FORMS
@given(filled_forms())
def test_in_progress_asks_for_nothing(made: Pair) -> None:
    questionnaire, response = made
    started = {key: value for key, value in response.items() if key != "item"}
    started["status"] = "in-progress"
    assert {issue.severity for issue in check_response(started, questionnaire)} <= {"information"}


NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["item", "answer", "linkId", "type", "valueString", "enableWhen", "extension"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(FORMS, max_examples=100)
@given(filled_forms(), NONSENSE, NONSENSE, st.booleans())
def test_nonsense_never_raises(made: Pair, first: Any, second: Any, in_form: bool) -> None:
    questionnaire, response = copy.deepcopy(made)
    target = questionnaire if in_form else response
    target["item"] = [first, *target["item"][:1], second]
    issues = check_response(response, questionnaire)
    assert all(isinstance(issue.expression, str) for issue in issues)
