"""The values of R4's primitive types: a fast yes or no, and a reason when it is no.

The forms come from R4's data types page (https://hl7.org/fhir/R4/datatypes.html). Each entry of
`FAST` is a callable that returns something true only for a good value; it may return False, or
raise TypeError or AttributeError, for one that deserves a closer look by `reason`, which decides.
"""

from __future__ import annotations

import binascii
import calendar
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from adapter.fhir.narrative import narrative_fault

Fast = Callable[[Any], object]
ASCII = re.ASCII

_DAY = (
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    r"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
)
_YEAR = r"(?!0000)[0-9]{4}"
_ZONE = r"(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]+)?"
DATE = re.compile(rf"{_YEAR}(?:-(?:0[1-9]|1[0-2])|-{_DAY})?")
DATE_TIME = re.compile(rf"{_YEAR}(?:-(?:0[1-9]|1[0-2])|-{_DAY}(?:T{_CLOCK}{_ZONE})?)?")
INSTANT = re.compile(rf"{_YEAR}-{_DAY}T{_CLOCK}{_ZONE}")
TIME = re.compile(_CLOCK)
CODE = re.compile(r"[^\s]+(?:\s[^\s]+)*", ASCII)
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
OID = re.compile(r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+")
ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", ASCII)
CANONICAL = re.compile(r"#\S*|[A-Za-z][A-Za-z0-9+.-]*:\S+", ASCII)
URI = re.compile(rf"(?!urn:(?:uuid|oid):)\S+|{UUID.pattern}|{OID.pattern}", ASCII)
# Tab, line feed and carriage return are the only control characters that R4 allows in text.
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f]")
INTEGERS = {
    "integer": (-(2**31), 2**31 - 1),
    "unsignedInt": (0, 2**31 - 1),
    "positiveInt": (1, 2**31 - 1),
}
LONGEST = 1024 * 1024  # The most characters that R4 allows in a string.


def _text(value: Any) -> object:
    good = value.isprintable() or not CONTROL.search(value)
    return good and value.strip() and len(value) <= LONGEST


def _boolean(value: Any) -> object:
    return value is True or value is False


def _decimal(value: Any) -> object:
    kind = type(value)
    return kind is int or (kind is float and value - value == 0.0) or _is_decimal(value)


def _is_decimal(value: Any) -> bool:
    return type(value) is Decimal and value.is_finite()


def _integer(least: int, most: int) -> Fast:
    def whole(value: Any) -> object:
        return type(value) is int and least <= value <= most

    return whole


def _base64(value: Any) -> object:
    if type(value) is not str or not value or value.isspace():
        return False
    try:
        binascii.a2b_base64("".join(value.split()), strict_mode=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _narrative(value: Any) -> object:
    return type(value) is str and narrative_fault(value) is None


_SCALARS: dict[str, Fast] = {
    "base64Binary": _base64,
    "boolean": _boolean,
    "canonical": CANONICAL.fullmatch,
    "code": CODE.fullmatch,
    "date": DATE.fullmatch,
    "dateTime": DATE_TIME.fullmatch,
    "decimal": _decimal,
    "id": ID.fullmatch,
    "instant": INSTANT.fullmatch,
    "markdown": _text,
    "oid": OID.fullmatch,
    "string": _text,
    "time": TIME.fullmatch,
    "uri": URI.fullmatch,
    "url": URI.fullmatch,
    "uuid": UUID.fullmatch,
    "xhtml": _narrative,
}
_WHOLE: dict[str, Fast] = {name: _integer(*limits) for name, limits in INTEGERS.items()}
FAST = _SCALARS | _WHOLE

_FORMS = {
    "base64Binary": "must be base64",
    "canonical": "must be an absolute URI without spaces, or # and the id of a contained resource",
    "code": "must be a code: no spaces before, after, or two in a row",
    "date": "must be a date such as 2026, 2026-01 or 2026-01-31",
    "dateTime": "must be a date, or a date and time with seconds and zone"
    " such as 2026-01-31T09:30:00-05:00",
    "id": "must be 1 to 64 letters, digits, hyphens or dots",
    "instant": "must be a date and time with seconds and zone: 2026-01-31T09:30:00.000-05:00",
    "oid": "must be an OID such as urn:oid:1.2.3",
    "time": "must be a time with seconds such as 14:05:00",
    "uri": "must be a URI without spaces; a urn:uuid is lower-case, a urn:oid well-formed",
    "url": "must be a URL without spaces",
    "uuid": "must be a lower-case UUID such as urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
}
_JSON_NAMES = {bool: "true or false", str: "a string", list: "an array", dict: "an object"}


def reason(kind: str, value: Any) -> str | None:
    """Say why `value` is no good `kind`, or None when it is good. The value is never quoted."""
    wanted = _wanted(kind)
    if type(value) not in wanted:
        given = "null" if value is None else _JSON_NAMES.get(type(value), "a number")
        if kind in INTEGERS and given == "a number":
            return "must be a whole number, written without fraction and exponent"
        return f"must be {_JSON_NAMES.get(wanted[0], 'a number')} in JSON, not {given}"
    if kind in INTEGERS:
        least, most = INTEGERS[kind]
        return None if least <= value <= most else f"must be from {least} to {most}"
    if kind == "decimal":
        return None if math.isfinite(value) else "must be a finite number"
    if kind == "boolean":
        return None
    return _text_reason(kind, value)


def _wanted(kind: str) -> tuple[type, ...]:
    if kind in INTEGERS:
        return (int,)
    if kind == "decimal":
        return (float, int, Decimal)
    return (bool,) if kind == "boolean" else (str,)


def _text_reason(kind: str, value: str) -> str | None:
    if not value.strip():
        return "must not be empty; leave the element out instead"
    if kind in {"string", "markdown"}:
        if CONTROL.search(value):
            return "must not hold control characters other than tab and line ends"
        return "must be at most 1 MB long" if len(value) > LONGEST else None
    if kind == "xhtml":
        return narrative_fault(value)
    if kind in {"date", "dateTime", "instant"} and (leap := _leap_day(value)) is not None:
        # 28 February has the same form, and the fast expression does not know leap years.
        value = leap
    return None if FAST[kind](value) else _FORMS[kind]


def _leap_day(value: str) -> str | None:
    if value[4:10] != "-02-29" or not value[:4].isdigit() or not calendar.isleap(int(value[:4])):
        return None
    return f"{value[:8]}28{value[10:]}"
