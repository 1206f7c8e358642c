"""One typed answer to one FHIR value, held against the limits of its question."""

from __future__ import annotations

import re
from datetime import date, time
from decimal import Decimal
from typing import Any

from adapter.fhir.questionnaire_form import Limits, Question
from adapter.portal.catalogue import mark

PROBLEMS = {
    "choice-unknown": mark("Choose one of the answers in the list."),
    "number-whole": mark("Write a whole number, for example 6."),
    "number": mark("Write a number, for example 6 or 7.5."),
    "number-low": mark("Write a number that is %(least)s or more."),
    "number-high": mark("Write a number that is %(most)s or less."),
    "text-long": mark("Write less: at most %(most)s characters."),
    "text-form": mark("This answer is not written in the form that was asked for."),
    "date": mark("Write a date as year-month-day, for example 2027-01-29."),
    "time": mark("Write a time as hours and minutes, for example 14:30."),
}
"""What to tell the person, by code; the answer itself is never repeated in the message."""

_DECIMAL = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{1,15})?")
_TEXT_LIMIT = 10_000


class TypedError(ValueError):
    """An answer that cannot be used; `code` is a key of `PROBLEMS`, `values` go into its text."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(code)
        self.code = code
        self.values = values


def value_of_text(question: Question, text: str) -> tuple[str, Any]:
    """A typed answer as (FHIR type name, JSON value).

    Raises:
        TypedError: it is not of the question's type, or outside its limits.
    """
    limits = question.limits
    if question.type == "integer":
        return "integer", _integer(text, limits)
    if question.type == "decimal":
        return "decimal", _decimal(text, limits)
    if question.type == "date":
        return "date", _date(text)
    if question.type == "time":
        return "time", _time(text)
    most = limits.max_length or _TEXT_LIMIT
    if len(text) > most:
        raise TypedError("text-long", most=most)
    return ("uri" if question.type == "url" else "string"), text


def _integer(text: str, limits: Limits) -> int:
    if not re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII):
        raise TypedError("number-whole")
    number = int(text)
    _within(Decimal(number), limits)
    return number


def _decimal(text: str, limits: Limits) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise TypedError("number")
    number = Decimal(text.replace(",", "."))
    _within(number, limits)
    return number


def _within(number: Decimal, limits: Limits) -> None:
    if limits.minimum and number < Decimal(str(limits.minimum[1])):
        raise TypedError("number-low", least=limits.minimum[1])
    if limits.maximum and number > Decimal(str(limits.maximum[1])):
        raise TypedError("number-high", most=limits.maximum[1])


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise TypedError("date") from None


def _time(text: str) -> str:
    try:
        return time.fromisoformat(text).strftime("%H:%M:%S")
    except ValueError:
        raise TypedError("time") from None
