"""By what a stored FHIR resource can be found: plain columns without PHI, and keys.

A key is a few bytes that stand for a parameter and a value, so that only equality can be asked.
A key is a keyed hash. That of a reference to a record of our own begins as its id does, which says
nothing about anybody: ids of one referral may begin alike, and its keys then lie together.

Names of parameters are those of FHIR R4 3.2.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from adapter.store.identifiers import normalised
from adapter.store.keys import Keyring

Kind = Literal["identifier", "reference", "text"]
Parameter = tuple[str, tuple[str, ...], Kind]

_EVERY: tuple[Parameter, ...] = (("identifier", ("identifier",), "identifier"),)
_OF_TYPE: dict[str, tuple[Parameter, ...]] = {
    "Task": (
        ("owner", ("owner",), "reference"),
        ("requester", ("requester",), "reference"),
        ("focus", ("focus",), "reference"),
        ("based-on", ("basedOn",), "reference"),
        ("part-of", ("partOf",), "reference"),
    ),
    "ServiceRequest": (
        ("requester", ("requester",), "reference"),
        ("performer", ("performer",), "reference"),
        ("based-on", ("basedOn",), "reference"),
        ("requisition", ("requisition",), "identifier"),
    ),
    "Patient": (
        ("family", ("name", "family"), "text"),
        ("birthdate", ("birthDate",), "text"),
    ),
    "QuestionnaireResponse": (
        ("based-on", ("basedOn",), "reference"),
        ("questionnaire", ("questionnaire",), "text"),
    ),
    "Questionnaire": (("url", ("url",), "text"),),
    "Procedure": (("based-on", ("basedOn",), "reference"),),
    "Communication": (
        ("about", ("about",), "reference"),
        ("based-on", ("basedOn",), "reference"),
    ),
    "PractitionerRole": (
        ("practitioner", ("practitioner",), "reference"),
        ("organization", ("organization",), "reference"),
    ),
    "Organization": (("name", ("name",), "text"),),
    "HealthcareService": (
        ("name", ("name",), "text"),
        ("organization", ("providedBy",), "reference"),
    ),
}
_HASH = 12
_OWN = re.compile(r"[A-Z][A-Za-z]+/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
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
    status = content.get("status")
    date = subject = None
    for name in _DATES:
        if name in content:
            date = content[name]
            break
    for name in _SUBJECTS:
        if name in content:
            subject = content[name]
            break
    reference = subject.get("reference") if isinstance(subject, dict) else None
    return Columns(
        status if isinstance(status, str) else None,
        _first_code(content.get("code")),
        date if isinstance(date, str) else None,
        reference if isinstance(reference, str) else None,
    )


def parameters(resource_type: str) -> tuple[str, ...]:
    """The names that `keys` knows for a type."""
    return tuple(name for name, _, _ in _known(resource_type))


def keys(keyring: Keyring, resource_type: str, content: dict[str, Any]) -> set[bytes]:
    """The key of every value by which this resource can be found."""
    found: set[bytes] = set()
    for parameter, path, kind in _known(resource_type):
        if path[0] not in content:
            continue
        for value in _at(content, path):
            text = _text(value, kind)
            if text:
                found.add(key(keyring, resource_type, parameter, text))
    return found


def key(keyring: Keyring, resource_type: str, parameter: str, value: str) -> bytes:
    """The key of one value; of an identifier, its value without its system."""
    alike = _alike(value)
    plain = value if alike else normalised(value)
    text = f"{resource_type}\x1f{parameter}\x1f{plain}"
    return alike + keyring.lookup_hash("resource key", text)[:_HASH]


def subject_key(keyring: Keyring, reference: str) -> bytes:
    """What stands for a subject in the plain columns."""
    return _alike(reference) + keyring.lookup_hash("resource subject", reference)[:_HASH]


def has(
    resource_type: str, content: dict[str, Any], parameter: str, value: str, system: str = ""
) -> bool:
    """True if a resource has this value, as `keys` finds it; of an identifier, in this system."""
    path, kind = next((p, k) for n, p, k in _known(resource_type) if n == parameter)
    wanted = _compared(value)
    for each in _at(content, path):
        text = _text(each, kind)
        if text and _compared(text) == wanted and system in ("", _system(each)):
            return True
    return False


def _system(value: Any) -> str | None:
    system = value.get("system") if isinstance(value, dict) else None
    return system if isinstance(system, str) else None


def _compared(value: str) -> str:
    return value if _alike(value) else normalised(value)


def _text(value: Any, kind: Kind) -> str | None:
    """What a value is found by, or None."""
    if kind != "text":
        value = value.get(_INSIDE[kind]) if isinstance(value, dict) else None
    return value if isinstance(value, str) else None


_INSIDE = {"identifier": "value", "reference": "reference"}


def _known(resource_type: str) -> tuple[Parameter, ...]:
    return _EVERY + _OF_TYPE.get(resource_type, ())


def _alike(reference: str) -> bytes:
    """The first bytes of the id in ``Type/uuid``; nothing of every other text."""
    if not _OWN.match(reference):
        return b""
    return bytes.fromhex(reference[-36:-28] + reference[-27:-23])


def _at(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _at(each, path)
    elif not path:
        yield value
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _first_code(concept: Any) -> str | None:
    codings = concept.get("coding") if isinstance(concept, dict) else None
    if not isinstance(codings, list):
        return None
    for coding in codings:
        code = coding.get("code") if isinstance(coding, dict) else None
        if isinstance(code, str):
            return code
    return None
