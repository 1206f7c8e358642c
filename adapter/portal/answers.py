"""Answered questions as a FHIR QuestionnaireResponse, and that as the model's `Answers`.

The response is built first, because whether an item counts (enableWhen) and whether the whole is
valid are asked of the response.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapter.fhir.questionnaire_enablement import Enablement, Frame
from adapter.fhir.questionnaire_form import Form, Question
from adapter.referral.model import AnswerItem, Answers, Coding, Value

Entries = dict[str, list[tuple[str, Any]]]
"""The answers to each question by linkId: (FHIR type name, JSON value)."""


def answered(form: Form, language: str, entries: Entries, *, complete: bool) -> Answers:
    """The answers that count, in the order of the questionnaire."""
    return Answers(
        questionnaire=form.canonical,
        status="completed" if complete else "stopped",
        language=language,
        items=tuple(_item(each) for each in response(form, entries, complete=complete)["item"]),
    )


def response(form: Form, entries: Entries, *, complete: bool) -> dict[str, Any]:
    """The QuestionnaireResponse (R4) with every enabled item that was answered."""
    whole: dict[str, Any] = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": form.canonical,
        "status": "completed" if complete else "stopped",
        "item": _items(form.children, entries),
    }
    enablement = Enablement(form)
    _prune(form.children, whole, (Frame(None, whole, whole),), enablement)
    return whole


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
