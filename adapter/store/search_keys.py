"""By what a stored FHIR resource can be found: plain columns without PHI, and keyed hashes.

Only equality can be asked of a keyed hash. Names of parameters are those of FHIR R4 3.2.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from adapter.store.identifiers import normalised

Kind = Literal["identifier", "reference", "text"]

_EVERY: tuple[tuple[str, str, Kind], ...] = (("identifier", "identifier", "identifier"),)
_OF_TYPE: dict[str, tuple[tuple[str, str, Kind], ...]] = {
    "Task": (
        ("owner", "owner", "reference"),
        ("requester", "requester", "reference"),
        ("focus", "focus", "reference"),
        ("based-on", "basedOn", "reference"),
        ("part-of", "partOf", "reference"),
    ),
    "ServiceRequest": (
        ("requester", "requester", "reference"),
        ("performer", "performer", "reference"),
        ("based-on", "basedOn", "reference"),
        ("requisition", "requisition", "identifier"),
    ),
    "Patient": (
        ("family", "name.family", "text"),
        ("given", "name.given", "text"),
        ("birthdate", "birthDate", "text"),
        ("telecom", "telecom.value", "text"),
    ),
    "QuestionnaireResponse": (
        ("based-on", "basedOn", "reference"),
        ("questionnaire", "questionnaire", "text"),
    ),
    "Procedure": (("based-on", "basedOn", "reference"),),
    "Communication": (("about", "about", "reference"), ("based-on", "basedOn", "reference")),
    "PractitionerRole": (
        ("practitioner", "practitioner", "reference"),
        ("organization", "organization", "reference"),
    ),
    "Organization": (("name", "name", "text"),),
    "HealthcareService": (
        ("name", "name", "text"),
        ("organization", "providedBy", "reference"),
    ),
}
_SUBJECTS = ("subject", "patient", "for")
_DATES = ("authoredOn", "authored", "recordedDate", "effectiveDateTime", "performedDateTime")


@dataclass(frozen=True, slots=True)
class Columns:
    """What stands in plain columns, and the reference of the subject."""

    status: str | None
    code: str | None
    date: str | None
    subject: str | None


def columns(content: dict[str, Any]) -> Columns:
    """The searchable plain parts of a resource."""
    subject = next((content[name] for name in _SUBJECTS if name in content), None)
    return Columns(
        status=_text(content.get("status")),
        code=_first_code(content.get("code")),
        date=next((_text(content[name]) for name in _DATES if name in content), None),
        subject=_text(subject.get("reference")) if isinstance(subject, dict) else None,
    )


def key(parameter: str, value: str) -> str:
    """The text whose keyed hash stands for a search by `parameter`.

    An identifier is ``system|value`` or ``|value`` for any system.
    """
    return f"{parameter}\x1f{normalised(value)}"


def keys(content: dict[str, Any]) -> set[str]:
    """The keys of every value by which this resource can be found."""
    found: set[str] = set()
    for parameter, path, kind in (*_EVERY, *_OF_TYPE.get(content.get("resourceType", ""), ())):
        for value in _at(content, path.split(".")):
            if kind == "identifier" and isinstance(value, dict) and value.get("value"):
                found.add(key(parameter, f"|{value['value']}"))
                if value.get("system"):
                    found.add(key(parameter, f"{value['system']}|{value['value']}"))
            elif kind == "reference" and isinstance(value, dict) and value.get("reference"):
                found.add(key(parameter, value["reference"]))
            elif kind == "text" and isinstance(value, str) and value:
                found.add(key(parameter, value))
    return found


def parameters(resource_type: str) -> tuple[str, ...]:
    """The names that `keys` knows for a type."""
    return tuple(name for name, _, _ in (*_EVERY, *_OF_TYPE.get(resource_type, ())))


def _at(value: Any, path: list[str]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _at(each, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _first_code(concept: Any) -> str | None:
    if not isinstance(concept, dict):
        return None
    codings = concept.get("coding")
    if not isinstance(codings, list):
        return None
    return next((_text(c.get("code")) for c in codings if isinstance(c, dict)), None)
