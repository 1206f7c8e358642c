"""What one answer holds: its type, whether it is well formed, and how two values compare.

Sources: FHIR R4 4.0.1 Questionnaire.item.type and QuestionnaireResponse.item.answer.value[x]; the
regular expressions of the R4 primitive types.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from adapter.fhir.questionnaire_form import Question, kind_of

KINDS: Mapping[str, frozenset[str]] = {
    "boolean": frozenset(["boolean"]),
    "decimal": frozenset(["decimal"]),
    "integer": frozenset(["integer"]),
    "date": frozenset(["date"]),
    "dateTime": frozenset(["dateTime"]),
    "time": frozenset(["time"]),
    "string": frozenset(["string"]),
    "text": frozenset(["string"]),
    "url": frozenset(["uri"]),
    "choice": frozenset(["Coding"]),
    "open-choice": frozenset(["Coding", "string"]),
    "attachment": frozenset(["Attachment"]),
    "reference": frozenset(["Reference"]),
    "quantity": frozenset(["Quantity"]),
}
"""For each item type, the types that its answers may have."""

_DATE_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?", re.ASCII
)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?", re.ASCII)
_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_LAST = datetime.max.replace(tzinfo=UTC)


def value_of(answer: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Return each (key, FHIR type name, value) that the answer holds: one, when it is right."""
    return [(key, kind_of(key), value) for key, value in answer.items() if key.startswith("value")]


def kinds_for(question: Question) -> frozenset[str]:
    """Return the types that the answers of that question may have.

    A choice whose options are strings, integers, dates, times or references takes those types.
    """
    allowed = KINDS[question.type]
    if question.type in ("choice", "open-choice") and question.options:
        offered = frozenset(option.kind for option in question.options)
        return offered if question.type == "choice" else allowed | offered
    return allowed


def malformed(kind: str, value: Any) -> str | None:
    """Say what is wrong with a value of that FHIR type; None when it is well formed."""
    check = _CHECKS.get(kind)
    if check is None:
        return f"{kind} is not a type that an answer can have"
    return None if check(value) else f"{_WANTED[kind]} is wanted here"


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31


def _is_decimal(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _is_string(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_uri(value: Any) -> bool:
    return _is_string(value) and not any(char.isspace() for char in value)


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and "T" not in value and _interval(value) is not None


def _is_date_time(value: Any) -> bool:
    return isinstance(value, str) and _interval(value) is not None


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def _is_element(value: Any) -> bool:
    return isinstance(value, dict) and bool(value)


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "boolean": lambda value: isinstance(value, bool),
    "decimal": _is_decimal,
    "integer": _is_integer,
    "date": _is_date,
    "dateTime": _is_date_time,
    "time": _is_time,
    "string": _is_string,
    "uri": _is_uri,
    "Coding": _is_element,
    "Quantity": _is_element,
    "Reference": _is_element,
    "Attachment": _is_element,
}
_WANTED: Mapping[str, str] = {
    "boolean": "true or false",
    "decimal": "a number",
    "integer": "a whole number of 32 bits",
    "date": "a real date (YYYY, YYYY-MM or YYYY-MM-DD)",
    "dateTime": "a real date, or a date and time with seconds and a zone",
    "time": "a time as HH:MM:SS",
    "string": "a text that is not empty",
    "uri": "an address without spaces",
    "Coding": "a Coding",
    "Quantity": "a Quantity",
    "Reference": "a Reference",
    "Attachment": "an Attachment",
}

_NUMBERS = frozenset(["integer", "decimal"])
_DATES = frozenset(["date", "dateTime"])


def compare(kind: str, value: Any, other_kind: str, other: Any) -> int | None:
    """Order two answers: -1, 0 or 1; None when they cannot be ordered.

    Cannot be ordered: different types, partial dates that overlap, Quantities in different units,
    Codings that differ. Integers compare with decimals and dates with dateTimes.
    """
    if kind in _NUMBERS and other_kind in _NUMBERS:
        return _compare_numbers(value, other)
    if kind in _DATES and other_kind in _DATES:
        return _compare_dates(value, other)
    if kind != other_kind:
        return None
    if kind == "Quantity":
        return _compare_quantities(value, other)
    if kind == "Coding":
        return 0 if same_coding(value, other) else None
    if kind in ("time", "string", "uri") and isinstance(value, str) and isinstance(other, str):
        return (value > other) - (value < other)
    if kind == "Reference" and isinstance(value, dict) and isinstance(other, dict):
        reference = value.get("reference")
        return 0 if reference is not None and reference == other.get("reference") else None
    return 0 if value == other else None


def identity(kind: str, value: Any) -> Hashable | None:
    """Return what is equal for two values of these FHIR types exactly when `compare` says 0.

    None for a value that is not well formed, and for Codings, which can be equal without it.
    """
    if kind in _NUMBERS:
        return ("number", Decimal(str(value))) if _is_decimal(value) else None
    if kind in _DATES:
        return ("when", _interval(value)) if isinstance(value, str) and _interval(value) else None
    if kind == "Quantity" and isinstance(value, dict):
        number = identity("decimal", value.get("value"))
        return None if number is None or "comparator" in value else (number, repr(_unit(value)))
    if kind == "Reference" and isinstance(value, dict):
        value = value.get("reference")
    return (kind, value) if isinstance(value, str | bool) else None


def same_coding(coding: Any, listed: Any) -> bool:
    """Whether two Codings mean the same: same code in the same system; displays do not count.

    A listed Coding without a system matches by its code alone; one without a code by its display.
    """
    if not isinstance(coding, dict) or not isinstance(listed, dict):
        return False
    if "code" not in listed:
        return "code" not in coding and coding.get("display") == listed.get("display")
    same_code: bool = coding.get("code") == listed["code"]
    return same_code and ("system" not in listed or coding.get("system") == listed["system"])


def _compare_numbers(value: Any, other: Any) -> int | None:
    if not _is_decimal(value) or not _is_decimal(other):
        return None
    left, right = Decimal(str(value)), Decimal(str(other))
    return (left > right) - (left < right)


def _compare_quantities(value: Any, other: Any) -> int | None:
    if not isinstance(value, dict) or not isinstance(other, dict) or "comparator" in value:
        return None
    if _unit(value) != _unit(other):
        return None
    return _compare_numbers(value.get("value"), other.get("value"))


def _unit(quantity: Mapping[str, Any]) -> tuple[Any, Any]:
    if "code" in quantity:
        return quantity.get("system"), quantity["code"]
    return None, quantity.get("unit")


def _compare_dates(value: Any, other: Any) -> int | None:
    left = _interval(value) if isinstance(value, str) else None
    right = _interval(other) if isinstance(other, str) else None
    if left is None or right is None:
        return None
    if left == right:
        return 0
    if left[1] <= right[0]:
        return -1
    return 1 if left[0] >= right[1] else None


def _interval(text: str) -> tuple[datetime, datetime] | None:
    """Return the start and the end (excluded) of the time that a FHIR date or dateTime covers.

    A day without a zone is taken as a day in UTC: it is compared with another day, or with an
    instant for which the day's zone is not known.
    """
    match = _DATE_TIME.fullmatch(text)
    if match is None:
        return None
    year, month, day = match.group(1, 2, 3)
    try:
        first = date(int(year), int(month or 1), int(day or 1))
        if match.group(4) is not None:
            moment = datetime.fromisoformat(_whole_seconds(match)).astimezone(UTC)
            return moment, min(moment, _LAST - _INSTANT) + _INSTANT
        start = datetime(first.year, first.month, first.day, tzinfo=UTC)
        return start, _end(start, month, day)
    except (ValueError, OverflowError):
        return None  # not on the calendar, which is what the caller asks


def _whole_seconds(match: re.Match[str]) -> str:
    # Python reads at most six digits of a second, and no leap second.
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    second = "59" if second == "60" else second
    return f"{year}-{month}-{day}T{hour}:{minute}:{second}{(fraction or '')[:7]}{zone}"


def _end(start: datetime, month: str | None, day: str | None) -> datetime:
    if day is not None:
        return start + _DAY if start.date() < date.max else _LAST
    if month is None or start.month == 12:
        return start.replace(year=start.year + 1, month=1) if start.year < 9999 else _LAST
    return start.replace(month=start.month + 1)
