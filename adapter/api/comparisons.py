"""How a value of a search is compared with a resource (FHIR R4 3.1.1.4)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from adapter.api.faults import refused
from adapter.api.parameters import Json, Parameter


def values(node: Any, path: str) -> Iterator[Any]:
    """Every value at a dotted path."""
    if isinstance(node, list):
        for each in node:
            yield from values(each, path)
    elif not path:
        yield node
    elif isinstance(node, dict):
        first, _, rest = path.partition(".")
        if first in node:
            yield from values(node[first], rest)


Test = Callable[[Json], bool]


def token_test(parameter: Parameter, text: str) -> Test:
    """``code``, ``system|code``, ``|code`` (without a system) or ``system|``."""
    system, bar, code = text.rpartition("|")

    def same(one: tuple[str | None, str | None]) -> bool:
        if code and (one[1] or "").casefold() != code.casefold():
            return False
        return not bar or (one[0] or "") == system

    return lambda content: any(
        same(one)
        for path in parameter.paths
        for value in values(content, path)
        for one in codings(value)
    )


def codings(value: Any) -> Iterator[tuple[str | None, str | None]]:
    """(system, code) of a code, a boolean, a Coding, a CodeableConcept or an Identifier."""
    if isinstance(value, bool):
        yield None, "true" if value else "false"
    elif isinstance(value, str):
        yield None, value
    elif isinstance(value, dict):
        if "coding" in value or "text" in value:
            for each in value.get("coding", ()):
                yield each.get("system"), each.get("code")
        else:
            yield value.get("system"), value.get("code", value.get("value"))


def reference_test(parameter: Parameter, said: str, kind: str = "") -> Test:
    """``id``, ``Type/id`` or an address elsewhere; `kind` is the type that a modifier names."""
    wanted = (
        {said} if "/" in said else {f"{each}/{said}" for each in kind.split() or parameter.targets}
    )
    return lambda content: any(
        isinstance(value, dict)
        and isinstance(value.get("reference"), str)
        and value["reference"].partition("/_history/")[0] in wanted
        for path in parameter.paths
        for value in values(content, path)
    )


def uri_test(parameter: Parameter, said: str) -> Test:
    """The same URI, letter by letter; without a version in it, any version."""
    return lambda content: any(
        value == said or ("|" not in said and str(value).partition("|")[0] == said)
        for path in parameter.paths
        for value in values(content, path)
    )


def string_test(parameter: Parameter, said: str, modifier: str = "") -> Test:
    """Begins with it, whatever case and accents; `exact` and `contains` (FHIR R4 3.1.1.4.8)."""
    wanted = said if modifier == "exact" else folded(said)

    def holds(value: str) -> bool:
        if modifier == "exact":
            return value == wanted
        return (
            wanted in folded(value) if modifier == "contains" else folded(value).startswith(wanted)
        )

    return lambda content: any(
        isinstance(value, str) and holds(value)
        for path in parameter.paths
        for value in values(content, path)
    )


def folded(text: str) -> str:
    """A text without case and accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in plain if not unicodedata.combining(each))


_MOMENT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z"
)
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
Span = tuple[datetime, datetime]
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


def span(text: str) -> Span:
    """The first moment of a FHIR date and the first one after it; ValueError if it is none."""
    match = _MOMENT.match(text.replace(" ", "+"))
    if match is None:
        raise ValueError("not a date")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if hour is None:
        start = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        if day:
            return start, start + timedelta(days=1)
        if month:
            after = (start.year + 1, 1) if start.month == 12 else (start.year, start.month + 1)
            return start, start.replace(year=after[0], month=after[1])
        return start, start.replace(year=start.year + 1)
    plain = f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}"
    start = datetime.fromisoformat(plain + ("+00:00" if zone in (None, "Z") else zone))
    if fraction:
        start += timedelta(microseconds=int(float(fraction) * 1_000_000))
        width = timedelta(milliseconds=1) if len(fraction) <= 4 else timedelta(microseconds=1)
        return start, start + width
    return start, start + (timedelta(seconds=1) if second else timedelta(minutes=1))


def stretch(value: Any) -> Span:
    """The span of a date or of a Period, whose open end has no limit; ValueError if it is none."""
    if not isinstance(value, dict):
        return span(str(value))
    start, end = value.get("start"), value.get("end")
    if start is None and end is None:
        raise ValueError("not a Period")
    return (span(start)[0] if start else _EVER[0]), (span(end)[1] if end else _EVER[1])


def prefixed(text: str, name: str) -> tuple[str, Span]:
    """A date's prefix and span (FHIR R4 3.1.1.4.5); 400 if it is none."""
    prefix = text[:2] if text[:2].isalpha() else "eq"
    if prefix not in PREFIXES:
        known = ", ".join(PREFIXES)
        raise refused(400, f"the prefixes here are {known}", f"http.{name}", rule="prefix")
    try:
        return prefix, span(text.removeprefix(prefix) if text[:2].isalpha() else text)
    except (ValueError, OverflowError):
        raise refused(400, "a date as 2026-01-31 is needed", f"http.{name}", rule="date") from None


def date_test(parameter: Parameter, text: str, name: str) -> Test:
    """A date with a prefix against the span that each value stands for."""
    prefix, (low, high) = prefixed(text, name)

    def holds(value: Any) -> bool:
        try:
            start, end = stretch(value)
        except (ValueError, OverflowError):
            return False
        return {
            "eq": low <= start and end <= high,
            "ne": not (low <= start and end <= high),
            "gt": end > high,
            "ge": end > low,
            "lt": start < low,
            "le": start < high,
            "sa": start >= high,
            "eb": end <= low,
        }[prefix]

    return lambda content: any(
        holds(value) for path in parameter.paths for value in values(content, path)
    )
