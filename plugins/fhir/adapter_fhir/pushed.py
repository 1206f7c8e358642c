"""What a peer brings to our door by itself: a Bundle with a referral, or a Task alone.

A Bundle without logical ids is handed over byte for byte. Where there are ids of another server,
they are replaced by ours, as for everything that is read there (`adapter_fhir.inward`).
"""

from __future__ import annotations

import hashlib
from typing import Any

from adapter.plugin import DataError
from adapter_fhir.inward import EVENT_KIND, Inward
from adapter_fhir.references import LITERAL, absolute, identifiers, relative, rewritten

Json = dict[str, Any]
KINDS = ("request", "modify", "cancel", "answer", "outcome")
_URN = "urn:uuid:"


def resources_of(bundle: Json) -> list[tuple[str, Json]]:
    """The resources of a Bundle with their fullUrls.

    Raises:
        DataError: it holds no request and no Task.
    """
    entries = bundle.get("entry")
    found = [
        (str(each.get("fullUrl", "")), each["resource"])
        for each in (entries if isinstance(entries, list) else ())
        if isinstance(each, dict) and isinstance(each.get("resource"), dict)
    ]
    if not any(each.get("resourceType") in ("Task", "ServiceRequest") for _, each in found):
        raise DataError(
            "fhir.no-referral",
            "the Bundle holds neither a ServiceRequest nor a Task",
            fix="Send the ServiceRequest with its Task and Patient in one Bundle.",
        )
    return found


def kind_of_event(bundle: Json) -> str:
    """What the Bundle is for: its event tag, else a request."""
    tags = (bundle.get("meta") or {}).get("tag") or ()
    said = [each.get("code") for each in tags if each.get("system") == EVENT_KIND]
    return said[0] if said and said[0] in KINDS else "request"


def key_of(bundle: Json, raw: bytes) -> str:
    """The sender's own id of the message: Bundle.identifier, else its content's digest."""
    for each in identifiers(bundle):
        if each.get("value"):
            return f"{each.get('system') or ''}|{each['value']}"
    return hashlib.sha256(raw).hexdigest()


def ours(bundle: Json, raw: bytes, inward: Inward, base: str) -> bytes:
    """The message for the core: as it came, or with our ids where it had another server's."""
    found = resources_of(bundle)
    if not any("id" in resource for _, resource in found):
        return raw
    places = {}
    for url, resource in found:
        own = str(resource.get("id") or url.removeprefix(_URN))
        plain = relative(url, base)
        at_home = LITERAL.fullmatch(plain) or url.startswith(("http://", "https://"))
        places[url] = (
            absolute(plain, base) if at_home else f"{base}/{resource['resourceType']}/{own}"
        )

    def change(reference: Json) -> Json:
        literal = reference["reference"]
        return {**reference, "reference": places.get(literal, literal)}

    named = {places[url]: rewritten(resource, change) for url, resource in found}
    return inward.request(kind_of_event(bundle), named, at=str(bundle.get("timestamp", "")))
