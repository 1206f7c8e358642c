"""HL7 v2 dates and times (DT, TM, DTM, TS) and ISO 8601, each way, with the precision that came."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from adapter.plugin.formats import DomainError

_V2 = re.compile(
    r"(\d{4})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(?:(\d{2})(\.\d{1,9})?)?)?)?)?)?"
    r"([+-]\d{4})?"
)
_ISO = re.compile(
    r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?)?)?"
)
_V2_TIME = re.compile(r"(\d{2})(?:(\d{2})(?:(\d{2})(\.\d{1,4})?)?)?")


@lru_cache(maxsize=4096)
def iso(value: str, zone: str) -> str:
    """ISO 8601 of a v2 date or time; a local time without offset is read in `zone`.

    Hours without minutes become full hours, the only precision that ISO 8601 times lack here.

    Raises:
        DomainError: not a date, or a day that does not exist.
    """
    found = _V2.fullmatch(value)
    if found is None:
        raise DomainError("this is no HL7 v2 date or time")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if day is None:
        if offset:
            raise DomainError("a date to the month has no offset")
        if year == "0000" or (month and not 1 <= int(month) <= 12):
            raise DomainError("there is no such date")
        return f"{year}-{month}" if month else year
    _real(year, month, day)
    if hour is None:
        return f"{year}-{month}-{day}"
    clock = f"{hour}:{minute or '00'}" + (f":{second}{fraction or ''}" if second else "")
    if int(hour) > 23 or int(minute or 0) > 59 or int(second or 0) > 59:
        raise DomainError("there is no such time")
    if offset is None:
        numbers = [int(part or 0) for part in (year, month, day, hour, minute, second)]
        local = _local(numbers, zone)
        zoned = _offset(local.utcoffset() or timedelta())
    else:
        zoned = "Z" if offset in ("+0000", "-0000") else f"{offset[:3]}:{offset[3:]}"
    return f"{year}-{month}-{day}T{clock}{zoned}"


def _local(numbers: list[int], zone: str) -> datetime:
    year, month, day, hour, minute, second = numbers
    return datetime(year, month, day, hour, minute, second, tzinfo=ZoneInfo(zone))


def _real(year: str, month: str, day: str) -> None:
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        raise DomainError("there is no such date") from None


def _offset(delta: timedelta) -> str:
    minutes = int(delta.total_seconds() // 60)
    if not minutes:
        return "Z"
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


@lru_cache(maxsize=4096)
def v2(value: str) -> str:
    """The v2 form of an ISO 8601 date or time.

    Raises:
        DomainError: not ISO 8601 as FHIR narrows it.
    """
    found = _ISO.fullmatch(value)
    if found is None:
        raise DomainError("this is no ISO 8601 date or time")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    digits = "".join(part for part in (year, month, day, hour, minute, second) if part)
    zone = ""
    if offset:
        zone = "+0000" if offset == "Z" else offset.replace(":", "")
    return digits + (fraction[:5] if fraction else "") + zone


def iso_date(value: str, zone: str) -> str:
    """The date of a v2 date or time, to the day at most."""
    return iso(value[:8] if len(value) > 8 else value, zone)


def iso_time(value: str) -> str:
    """``HH:MM:SS`` of a v2 TM; seconds that did not come are zero (FHIR time has seconds)."""
    found = _V2_TIME.fullmatch(value)
    if found is None or int(found[1]) > 23 or int(found[2] or 0) > 59 or int(found[3] or 0) > 59:
        raise DomainError("this is no HL7 v2 time")
    return f"{found[1]}:{found[2] or '00'}:{found[3] or '00'}{found[4] or ''}"
