"""Answered questions as a FHIR QuestionnaireResponse, and that as the model's `Answers`.

The response is built first, because whether an item counts (enableWhen) and whether the whole is
valid are asked of the response.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from adapter.fhir.questionnaire import check_response
from adapter.fhir.questionnaire_enablement import Enablement, Frame
from adapter.fhir.questionnaire_form import Form, Question
from adapter.referral.model import AnswerItem, Answers, Coding, Value

Entries = dict[str, list[tuple[str, Any]]]
"""The answers to each question by linkId: (FHIR type name, JSON value)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers that count, and the linkIds of those that the questionnaire does not allow."""

    answers: Answers
    wrong: tuple[str, ...]


def answered(form: Form, language: str, entries: Entries, *, skipped: bool = False) -> Answered:
    """The answers in the order of the questionnaire, held against it.

    With something required missing or `skipped`, the response is ``stopped``: given up before its
    end, and nothing more will come (FHIR R4 QuestionnaireResponse.status).
    """
    made = response(form, entries)
    issues = [i for i in check_response(made, dict(form.definition)) if i.fails]
    incomplete = any(issue.code == "required" for issue in issues)
    answers = Answers(
        questionnaire=form.canonical,
        status="stopped" if incomplete or skipped else "completed",
        language=language,
        items=tuple(_item(each) for each in made["item"]),
    )
    places = [_link_id(made, i.expression) for i in issues if i.code != "required"]
    return Answered(answers, tuple(place for place in places if place))


def response(form: Form, entries: Entries) -> dict[str, Any]:
    """The QuestionnaireResponse (R4) with every enabled item that was answered."""
    whole: dict[str, Any] = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": form.canonical,
        "status": "completed",
        "item": _items(form.children, entries),
    }
    _prune(form.children, whole, (Frame(None, whole, whole),), Enablement(form))
    return whole


def _link_id(whole: Mapping[str, Any], expression: str) -> str | None:
    """The linkId of the item that an expression of the check points into."""
    node: Any = whole
    found: str | None = None
    for name, index in re.findall(r"\.(item|answer)\[(\d+)\]", expression):
        node = node[name][int(index)]
        found = node.get("linkId", found)
    return found


def _items(questions: Mapping[str, Question], entries: Entries) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for question in questions.values():
        inner = _items(question.children, entries)
        item: dict[str, Any] = {"linkId": question.link_id}
        if question.definition.get("text"):
            item["text"] = question.definition["text"]
        given = entries.get(question.link_id)
        if given:
            item["answer"] = [{_key(kind): value} for kind, value in given]
            if inner:
                item["answer"][0]["item"] = inner
        elif inner and question.type == "group":
            item["item"] = inner
        else:
            continue
        made.append(item)
    return made


def _key(kind: str) -> str:
    return "value" + kind[:1].upper() + kind[1:]


def _prune(
    questions: Mapping[str, Question],
    container: dict[str, Any],
    frames: tuple[Frame, ...],
    enablement: Enablement,
) -> None:
    """Leave out the items that their conditions switch off."""
    kept = []
    for item in container.get("item", []):
        question = questions[item["linkId"]]
        if not enablement.enabled(question, frames):
            continue
        inner = item["answer"][0] if "answer" in item else item
        if inner.get("item"):
            _prune(question.children, inner, (*frames, Frame(question, item, inner)), enablement)
        kept.append(item)
    if "item" in container:
        container["item"] = kept


def _item(item: Mapping[str, Any]) -> AnswerItem:
    answers = item.get("answer", [])
    inner = [*item.get("item", []), *(i for a in answers for i in a.get("item", []))]
    return AnswerItem(
        link_id=item["linkId"],
        text=item.get("text"),
        answers=tuple(_value(answer) for answer in answers),
        items=tuple(_item(each) for each in inner),
    )


def _value(answer: Mapping[str, Any]) -> Value:
    key, value = next((k, v) for k, v in answer.items() if k.startswith("value"))
    match key:
        case "valueBoolean":
            return Value(boolean=value)
        case "valueInteger":
            return Value(integer=value)
        case "valueDecimal":
            return Value(decimal=str(value if isinstance(value, Decimal) else Decimal(str(value))))
        case "valueDate":
            return Value(date=value)
        case "valueTime":
            return Value(time=value)
        case "valueUri":
            return Value(uri=value)
        case "valueCoding":
            return Value(
                coding=Coding(
                    system=value.get("system"),
                    code=value.get("code"),
                    display=value.get("display"),
                    version=value.get("version"),
                )
            )
        case _:
            return Value(string=str(value))
