"""References and identifiers: one spelling for what a server calls its own, and links across.

A logical id means nothing on another server. Whatever crosses is linked by an identifier whose
system is ``urn:ietf:rfc:3986`` (R4, identifier-registry: a URI as an identifier): the absolute
address of a peer's resource, or ``urn:uuid:`` with our id for ours.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

Json = dict[str, Any]
URI = "urn:ietf:rfc:3986"
LITERAL = re.compile(r"[A-Z][A-Za-z]{1,40}/[A-Za-z0-9\-.]{1,64}")
_VERSION = "/_history/"
_SINGLE = frozenset({"QuestionnaireResponse"})
_IDENTIFIED = frozenset(
    {
        "Appointment", "Condition", "Consent", "DocumentReference", "Goal", "HealthcareService",
        "Location", "Observation", "Organization", "Patient", "Practitioner", "PractitionerRole",
        "Procedure", "QuestionnaireResponse", "RelatedPerson", "ServiceRequest", "Task",
    }
)  # fmt: skip


def absolute(reference: str, base: str) -> str:
    """A literal reference as an address without version; relative ones are of the base's server."""
    plain = reference.partition(_VERSION)[0]
    return f"{base}/{plain}" if LITERAL.fullmatch(plain) else plain


def relative(address: str, base: str) -> str:
    """``Type/id`` for an address on the base's server, the address itself for others."""
    plain = address.partition(_VERSION)[0]
    own = plain.removeprefix(f"{base}/")
    return own if LITERAL.fullmatch(own) else plain


def kind_of(reference: str) -> str:
    """The resource type that a literal reference names, or empty."""
    parts = reference.partition(_VERSION)[0].rsplit("/", 2)
    return parts[-2] if len(parts) >= 2 and parts[-2][:1].isupper() else ""


def version_of(resource: Json) -> str:
    """The version of a resource: its versionId, else when it was last updated, else empty."""
    meta = resource.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    return str(meta.get("versionId") or meta.get("lastUpdated") or "")


def derived_id(site: str, address: str) -> str:
    """Our id for a peer's resource: always the same for one site and address."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{site}\x1f{address}"))


def has_identifiers(kind: str) -> bool:
    """True for types that can carry a link."""
    return kind in _IDENTIFIED


def identifiers(resource: Json) -> list[Json]:
    """The identifiers of a resource, whether it may have one or many."""
    found = resource.get("identifier")
    listed = found if isinstance(found, list) else [found]
    return [each for each in listed if isinstance(each, dict)]


def identified(resource: Json, value: str) -> Json:
    """The resource with a link to `value` among its identifiers."""
    kind = str(resource.get("resourceType"))
    if not has_identifiers(kind) or any(
        each.get("system") == URI and each.get("value") == value for each in identifiers(resource)
    ):
        return resource
    link = {"system": URI, "value": value}
    if kind in _SINGLE:
        return resource if resource.get("identifier") else {**resource, "identifier": link}
    return {**resource, "identifier": [*identifiers(resource), link]}


def linked(resource: Json) -> Iterator[str]:
    """The addresses and URNs that a resource is linked to."""
    for each in identifiers(resource):
        if each.get("system") == URI and isinstance(each.get("value"), str):
            yield each["value"]


def references(value: Any) -> Iterator[Json]:
    """Every Reference with a literal reference."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def rewritten(value: Any, change: Callable[[Json], Json]) -> Any:
    """The value with each literal Reference replaced by what `change` makes of it."""
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            return change(value)
        return {name: rewritten(part, change) for name, part in value.items()}
    if isinstance(value, list):
        return [rewritten(part, change) for part in value]
    return value
