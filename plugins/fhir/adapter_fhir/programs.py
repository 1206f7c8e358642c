"""A HealthcareService as a program, and what it says of its capacity (FHIR R4, SDOH-CC 3.0)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

from adapter.plugin import Capacity, ListedProgram, SystemFault
from adapter.plugin.directory import Room

Json = dict[str, Any]
TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
CAPACITY = "SDOHCC-ExtensionHealthcareServiceCapacityStatus"
"""The end of the extension's address; what stands before it changed between versions."""
ROOMS: Mapping[str, Room] = {
    "capacity": "open",
    "no-capacity": "full",
    "waitlist": "waitlist",
    "additional-assessment-required": "ask-first",
}
"""SDOH Clinical Care 3.0, value set Capacity Status."""


def listed(service: Json, organization: str) -> ListedProgram:
    """The program of a HealthcareService; `organization` is the name of who provides it.

    Raises:
        SystemFault: it has no id.
    """
    telecom = dict(_telecom(service))
    details = (_string(service, "comment"), _string(service, "extraDetails"))
    return ListedProgram(
        id=id_of(service),
        name=_names(service),
        active=service.get("active") is not False,
        provided_by=organization,
        identifiers=tuple(_strings(service.get("identifier"), "value")),
        category=tuple(
            dict.fromkeys(
                code
                for name in ("category", "type", "specialty", "program")
                for code in _codes(service.get(name))
            )
        ),
        characteristic=tuple(dict.fromkeys(_words(service))),
        communication=tuple(dict.fromkeys(_codes(service.get("communication")))),
        eligibility="; ".join(_eligibility(service)),
        coverage_area=tuple(_strings(service.get("coverageArea"), "display")),
        cost=_cost(service),
        comment="\n".join(each for each in details if each),
        email=telecom.get("email"),
        phone=telecom.get("phone"),
        url=telecom.get("url"),
        updated=_moment((service.get("meta") or {}).get("lastUpdated")),
    )


def capacity(service: Json, now: datetime) -> Capacity | None:
    """What a HealthcareService says of its capacity; None if it says nothing that we know.

    Within one of its `notAvailable` periods it is closed, whatever else it says.
    """
    updated = _moment((service.get("meta") or {}).get("lastUpdated"))
    for each in _objects(service.get("notAvailable")):
        if _within(each.get("during"), now):
            note = _string(each, "description")
            return Capacity(program=id_of(service), status="closed", note=note, updated=updated)
    for extension in _objects(service.get("extension")):
        if not str(extension.get("url", "")).endswith(CAPACITY):
            continue
        parts = _objects(extension.get("extension"))
        status = next((each for each in parts if each.get("url") == "capacityStatus"), extension)
        notes = [_string(each, "valueString") for each in parts]
        for code in (status.get("valueCode"), *_codes(status.get("valueCodeableConcept"))):
            if isinstance(code, str) and code in ROOMS:
                note = " ".join(each for each in notes if each)
                return Capacity(
                    program=id_of(service), status=ROOMS[code], note=note, updated=updated
                )
    return None


def id_of(service: Json) -> str:
    """Its id on the server.

    Raises:
        SystemFault: it has none.
    """
    found = service.get("id")
    if not isinstance(found, str) or not found:
        raise SystemFault(
            "fhir.answer",
            "the server's answer has a HealthcareService without an id",
            fix="Check that base_url leads to a FHIR R4 server; ask its maker if it does.",
        )
    return found


def _names(service: Json) -> dict[str, str]:
    """Its name in the language of the resource (English if it states none), and translations."""
    own = _language(service.get("language"))
    found = {own: _string(service, "name")} if _string(service, "name") else {}
    for each in _objects((service.get("_name") or {}).get("extension")):
        if each.get("url") != TRANSLATION:
            continue
        said = {part.get("url"): part for part in _objects(each.get("extension"))}
        language = said.get("lang", {})
        content = _string(said.get("content", {}), "valueString", "valueMarkdown")
        if content:
            code = language.get("valueCode") or language.get("valueString")
            found[_language(code)] = content
    return found


def _language(code: Any) -> str:
    return "fr" if str(code or "").lower().startswith("fr") else "en"


def _cost(service: Json) -> str:
    """Free if nothing else is provided for; else how it is paid, in the server's words."""
    codes = set(_codes(service.get("serviceProvisionCode")))
    if codes == {"free"}:
        return "free"
    return "; ".join(_texts(service.get("serviceProvisionCode")))


def _words(service: Json) -> Iterator[str]:
    """What it offers, in words: characteristics, and the texts of its type."""
    for name in ("characteristic", "type", "specialty"):
        for text in _texts(service.get(name)):
            yield text.lower()


def _eligibility(service: Json) -> Iterator[str]:
    for each in _objects(service.get("eligibility")):
        yield from (text for text in (_string(each, "comment"),) if text)
        yield from _texts([each.get("code")])


def _telecom(service: Json) -> Iterator[tuple[str, str]]:
    """The first of each kind."""
    seen = set()
    for each in _objects(service.get("telecom")):
        kind, value = str(each.get("system")), _string(each, "value")
        if kind in ("email", "phone", "url") and value and kind not in seen:
            seen.add(kind)
            yield kind, value


def _codes(concepts: Any) -> Iterator[str]:
    concepts = concepts if isinstance(concepts, list) else [concepts]
    for concept in _objects(concepts):
        yield from _strings(concept.get("coding"), "code")


def _texts(concepts: Any) -> Iterator[str]:
    """The words of each concept: its text, else the first display."""
    for concept in _objects(concepts):
        displays = list(_strings(concept.get("coding"), "display"))
        text = _string(concept, "text") or next(iter(displays), "")
        if text:
            yield text


def _within(period: Any, now: datetime) -> bool:
    if not isinstance(period, dict) or not (period.get("start") or period.get("end")):
        return False
    start, end = period.get("start"), period.get("end")
    return (not start or _edge(start, now, last=False) <= now) and (
        not end or now <= _edge(end, now, last=True)
    )


def _edge(text: Any, now: datetime, *, last: bool) -> datetime:
    """Where a period begins or ends; a date counts whole, and what is no time never comes."""
    found = _moment(text)
    if found is not None:
        return found
    try:
        day = date.fromisoformat(str(text))
    except ValueError:
        return now.replace(year=1 if last else 9999)
    hour, minute, second = (23, 59, 59) if last else (0, 0, 0)
    return datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=now.tzinfo)


def _moment(text: Any) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _string(item: Any, *keys: str) -> str:
    for key in keys:
        found = item.get(key) if isinstance(item, dict) else None
        if isinstance(found, str) and found.strip():
            return found.strip()
    return ""


def _strings(items: Any, key: str) -> Iterator[str]:
    for each in _objects(items):
        text = _string(each, key)
        if text:
            yield text


def _objects(items: Any) -> list[Json]:
    found = items if isinstance(items, list) else []
    return [each for each in found if isinstance(each, dict)]
