"""How the fake FHIR server searches: FHIR R4 3.1.1, as far as referrals need it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]
Pairs = list[tuple[str, str]]

PARAMETERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "_id": ("token", ("id",)),
    "_lastUpdated": ("date", ("meta.lastUpdated",)),
    "_tag": ("token", ("meta.tag",)),
    "_profile": ("uri", ("meta.profile",)),
    "active": ("token", ("active",)),
    "actor": ("reference", ("participant.actor",)),
    "authored": ("date", ("authoredOn",)),
    "authored-on": ("date", ("authoredOn",)),
    "based-on": ("reference", ("basedOn",)),
    "birthdate": ("date", ("birthDate",)),
    "business-status": ("token", ("businessStatus",)),
    "category": ("token", ("category",)),
    "code": ("token", ("code",)),
    "encounter": ("reference", ("encounter",)),
    "family": ("string", ("name.family",)),
    "focus": ("reference", ("focus",)),
    "given": ("string", ("name.given",)),
    "identifier": ("token", ("identifier",)),
    "intent": ("token", ("intent",)),
    "modified": ("date", ("lastModified",)),
    "name": ("string", ("name", "name.family", "name.given", "title")),
    "organization": ("reference", ("organization", "managingOrganization", "providedBy")),
    "owner": ("reference", ("owner",)),
    "part-of": ("reference", ("partOf",)),
    "patient": ("reference", ("for", "subject", "patient")),
    "performer": ("reference", ("performer", "performer.actor")),
    "priority": ("token", ("priority",)),
    "questionnaire": ("uri", ("questionnaire",)),
    "requester": ("reference", ("requester",)),
    "status": ("token", ("status",)),
    "subject": ("reference", ("for", "subject")),
    "type": ("token", ("type",)),
    "url": ("uri", ("url",)),
}
RESULT = ("_count", "_sort", "_summary", "_total", "_include", "_revinclude", "_format", "_page")


def values(resource: Any, path: str) -> Iterator[Any]:
    """What stands at a path, through every list."""
    found: Iterable[Any] = [resource]
    for name in path.split("."):
        found = [
            each
            for one in found
            if isinstance(one, dict) and name in one
            for each in (one[name] if isinstance(one[name], list) else [one[name]])
        ]
    yield from found


def matches(resource: Json, asked: Pairs, base: str) -> bool:
    """True if a resource answers every pair; a comma separates alternatives."""
    return all(_one(resource, name, text, base) for name, text in asked)


def _one(resource: Json, asked: str, text: str, base: str) -> bool:
    name, _, modifier = asked.partition(":")
    kind, paths = PARAMETERS[name]
    here = [each for path in paths for each in values(resource, path)]
    if modifier == "missing":
        return (not here) is (text == "true")
    test = {"token": _token, "reference": _reference, "date": _date, "uri": _uri}.get(kind, _string)
    found = any(test(each, one, base) for each in here for one in text.split(","))
    return not found if modifier == "not" else found


def _token(value: Any, text: str, base: str) -> bool:
    system, bar, code = text.rpartition("|")
    for coded in _coded(value):
        if bar and coded[0] != (system or None):
            continue
        if not code or coded[1] == code:
            return True
    return False


def _coded(value: Any) -> Iterator[tuple[str | None, Any]]:
    if not isinstance(value, dict):
        yield None, str(value).lower() if isinstance(value, bool) else value
        return
    for each in value.get("coding", [value]):
        yield each.get("system"), each.get("code", each.get("value"))


def _reference(value: Any, text: str, base: str) -> bool:
    said = value.get("reference", "").removeprefix(f"{base}/")
    wanted = text.removeprefix(f"{base}/")
    return bool(said == wanted or ("/" not in wanted and said.endswith(f"/{wanted}")))


def _uri(value: Any, text: str, base: str) -> bool:
    return bool(value == text)


def _string(value: Any, text: str, base: str) -> bool:
    return isinstance(value, str) and value.lower().startswith(text.lower())


def _date(value: Any, text: str, base: str) -> bool:
    prefix = text[:2] if text[:2] in ("eq", "gt", "ge", "lt", "le", "ne") else ""
    low, high = _span(str(value))
    first, last = _span(text.removeprefix(prefix))
    return {
        "gt": high > last,
        "ge": high > last or low >= first,
        "lt": low < first,
        "le": low < first or high <= last,
        "ne": high <= first or low >= last,
    }.get(prefix, low >= first and high <= last)


def _span(text: str) -> tuple[datetime, datetime]:
    """The first moment of a date or time, and the first moment after it."""
    if len(text) == 4:
        return _utc(f"{text}-01-01"), _utc(f"{int(text) + 1}-01-01")
    if len(text) == 7:
        begin = _utc(f"{text}-01")
        return begin, (begin + timedelta(days=32)).replace(day=1)
    begin = _utc(text)
    wide = timedelta(days=1) if len(text) == 10 else timedelta(milliseconds=1)
    return begin, begin + wide


def _utc(text: str) -> datetime:
    found = datetime.fromisoformat(text.replace(" ", "+"))
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def in_order(found: list[Json], sort: str) -> list[Json]:
    """By ``_lastUpdated`` or another date or token; a minus turns it around."""
    for key in reversed(sort.split(",") if sort else []):
        paths = PARAMETERS.get(key.lstrip("-"), ("", ("meta.lastUpdated",)))[1]
        found = sorted(
            found,
            key=lambda each, paths=paths: next(  # type: ignore[misc]
                (str(v) for p in paths for v in values(each, p)), ""
            ),
            reverse=key.startswith("-"),
        )
    return found
