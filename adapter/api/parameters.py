"""Search parameters: what each type can be searched by, and how a value is compared.

Names and meanings are those of FHIR R4 3.1.1 and of the capability statements of SDOH Clinical
Care 3.0 (Task, ServiceRequest, Procedure, Consent). The store narrows a search by what it keeps in
columns and keyed hashes; the comparison here decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from adapter.api.faults import refused

Json = dict[str, Any]
Kind = Literal["token", "reference", "date", "uri"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter: its kind, where its values stand, and what it may point to.

    `column` and `key` are what the store can narrow by: a plain column, or a keyed hash.
    """

    kind: Kind
    paths: tuple[str, ...]
    column: str = ""
    key: str = ""
    targets: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ("missing",)


def _token(*paths: str, column: str = "", key: str = "") -> Parameter:
    return Parameter("token", paths, column, key, modifiers=("missing", "not"))


def _reference(*paths: str, key: str = "", column: str = "", to: str = "") -> Parameter:
    targets = tuple(to.split())
    return Parameter("reference", paths, column, key, targets, ("missing", "identifier", *targets))


def _date(*paths: str) -> Parameter:
    return Parameter("date", paths)


PARTIES = "PractitionerRole Organization Practitioner Patient RelatedPerson"
_EVERY: Mapping[str, Parameter] = {
    "_id": _token("id"),
    "_lastUpdated": _date("meta.lastUpdated"),
    "_profile": Parameter("uri", ("meta.profile",)),
}
_IDENTIFIER = {"identifier": _token("identifier", key="identifier")}
_STATUS = {"status": _token("status", column="status")}
_CODE = {"code": _token("code", column="code")}
_CATEGORY = {"category": _token("category")}
_SUBJECT = {
    "patient": _reference("subject", column="subject", to="Patient"),
    "subject": _reference("subject", column="subject", to="Patient Group"),
}
_PATIENT = {"patient": _reference("patient", column="subject", to="Patient")}
_BASED_ON = {"based-on": _reference("basedOn", key="based-on", to="ServiceRequest")}

_OF_TYPE: Mapping[str, Mapping[str, Parameter]] = {
    "Task": {
        **_IDENTIFIER,
        **_STATUS,
        **_CODE,
        "patient": _reference("for", column="subject", to="Patient"),
        "subject": _reference("for", column="subject", to="Patient Group"),
        "owner": _reference("owner", key="owner", to=PARTIES),
        "requester": _reference("requester", key="requester", to=PARTIES),
        "focus": _reference("focus", key="focus", to="ServiceRequest"),
        "based-on": _reference("basedOn", key="based-on", to="ServiceRequest"),
        "part-of": _reference("partOf", key="part-of", to="Task"),
        "output": _reference("output.valueReference", to="Procedure Observation"),
        "intent": _token("intent"),
        "priority": _token("priority"),
        "business-status": _token("businessStatus"),
        "authored-on": _date("authoredOn"),
        "modified": _date("lastModified"),
    },
    "ServiceRequest": {
        **_IDENTIFIER,
        **_STATUS,
        **_CODE,
        **_CATEGORY,
        **_SUBJECT,
        **_BASED_ON,
        "intent": _token("intent"),
        "priority": _token("priority"),
        "requester": _reference("requester", key="requester", to=PARTIES),
        "performer": _reference("performer", key="performer", to=PARTIES),
        "requisition": _token("requisition", key="requisition"),
        "authored": _date("authoredOn"),
        "supporting-info": _reference("supportingInfo", to="Consent Observation"),
    },
    "Procedure": {
        **_IDENTIFIER,
        **_STATUS,
        **_CODE,
        **_CATEGORY,
        **_SUBJECT,
        **_BASED_ON,
        "performer": _reference("performer.actor", to=PARTIES),
    },
    "Consent": {
        **_IDENTIFIER,
        **_STATUS,
        **_CATEGORY,
        **_PATIENT,
        "source-reference": _reference("sourceReference", to="DocumentReference"),
    },
    "Observation": {
        **_IDENTIFIER,
        **_STATUS,
        **_CODE,
        **_CATEGORY,
        **_SUBJECT,
        "based-on": _reference("basedOn", to="ServiceRequest"),
        "date": _date("effectiveDateTime"),
    },
    "Condition": {
        **_IDENTIFIER,
        **_CODE,
        **_CATEGORY,
        **_SUBJECT,
        "clinical-status": _token("clinicalStatus"),
    },
    "Goal": {**_IDENTIFIER, **_SUBJECT, "lifecycle-status": _token("lifecycleStatus")},
    "DocumentReference": {
        **_IDENTIFIER,
        **_STATUS,
        **_CATEGORY,
        **_SUBJECT,
        "type": _token("type"),
    },
    "QuestionnaireResponse": {
        **_IDENTIFIER,
        **_STATUS,
        **_SUBJECT,
        **_BASED_ON,
        "questionnaire": Parameter("uri", ("questionnaire",), key="questionnaire"),
    },
    "Questionnaire": {
        **_IDENTIFIER,
        **_STATUS,
        "url": Parameter("uri", ("url",), key="url"),
        "version": _token("version"),
    },
    "Patient": {**_IDENTIFIER, "birthdate": _date("birthDate"), "gender": _token("gender")},
    "RelatedPerson": {**_IDENTIFIER, **_PATIENT},
    "Practitioner": {**_IDENTIFIER},
    "PractitionerRole": {
        **_IDENTIFIER,
        "practitioner": _reference("practitioner", key="practitioner", to="Practitioner"),
        "organization": _reference("organization", key="organization", to="Organization"),
    },
    "Organization": {**_IDENTIFIER, "partof": _reference("partOf", to="Organization")},
    "HealthcareService": {
        **_IDENTIFIER,
        "organization": _reference("providedBy", key="organization", to="Organization"),
    },
    "Location": {**_IDENTIFIER, **_STATUS},
    "Group": {**_IDENTIFIER, **_CODE},
    "Appointment": {
        **_IDENTIFIER,
        **_STATUS,
        "patient": _reference("participant.actor", to="Patient"),
    },
    "Communication": {**_IDENTIFIER, **_STATUS, **_SUBJECT, **_BASED_ON},
    "Subscription": {
        **_STATUS,
        "criteria": _token("criteria"),
        "type": _token("channel.type"),
        "url": Parameter("uri", ("channel.endpoint",)),
    },
    "Provenance": {"target": _reference("target", to="Observation Task ServiceRequest")},
}
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    name: {**_EVERY, **own} for name, own in _OF_TYPE.items()
}
"""By type and name: everything that can be searched by."""


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
        for one in _codings(value)
    )


def _codings(value: Any) -> Iterator[tuple[str | None, str | None]]:
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


_MOMENT = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?\Z"
)
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le")
Span = tuple[datetime, datetime]


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
            start, end = span(str(value))
        except (ValueError, OverflowError):
            return False
        return {
            "eq": low <= start and end <= high,
            "ne": not (low <= start and end <= high),
            "gt": end > high,
            "ge": end > low,
            "lt": start < low,
            "le": start < high,
        }[prefix]

    return lambda content: any(
        holds(value) for path in parameter.paths for value in values(content, path)
    )
