"""What a FHIR server answers, read with care: a resource, its version, where it was put."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from adapter.plugin import SystemFault
from adapter_fhir.references import LITERAL, relative, version_of

if TYPE_CHECKING:
    import httpx

Json = dict[str, Any]
MEDIA_TYPE = "application/fhir+json"
FHIR_JSON = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}


def resource_of(response: httpx.Response, kind: str = "") -> Json:
    """The resource in an answer.

    Raises:
        SystemFault: it is no JSON, no resource, or one of another type than asked for.
    """
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        raise _broken("is no JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("resourceType"), str):
        raise _broken("is no FHIR resource")
    if kind and found["resourceType"] != kind:
        raise _broken(f"is a {found['resourceType'][:40]}, not a {kind}")
    return found


def entries_of(bundle: Json) -> list[Json]:
    """The entries of a Bundle that are objects."""
    found = bundle.get("entry")
    return [each for each in found or () if isinstance(each, dict)]


def matches_of(bundle: Json, kind: str) -> list[Json]:
    """The resources of one type that a search found; outcomes and includes left out."""
    found = []
    for entry in entries_of(bundle):
        resource = entry.get("resource")
        mode = (entry.get("search") or {}).get("mode", "match")
        if isinstance(resource, dict) and resource.get("resourceType") == kind and mode == "match":
            found.append(resource)
    return found


def etag_of(response: httpx.Response, resource: Json) -> str:
    """The entity tag for If-Match: the ETag, else one from the versionId; empty without either."""
    tag = response.headers.get("ETag", "")
    if tag:
        return str(tag)
    version = (resource.get("meta") or {}).get("versionId")
    return f'W/"{version}"' if version else ""


def place_put(response: httpx.Response, kind: str, base: str) -> str:
    """``Type/id`` of what was created: from the Location, else from the body; empty if neither."""
    place = relative(response.headers.get("Location", ""), base)
    if LITERAL.fullmatch(place):
        return place
    try:
        found = orjson.loads(response.content or b"null")
    except orjson.JSONDecodeError:
        return ""
    if isinstance(found, dict) and found.get("resourceType") == kind and found.get("id"):
        return f"{kind}/{found['id']}"
    return ""


def version_put(response: httpx.Response) -> str:
    """The version that a write made: from the ETag, else the body; empty if neither says."""
    tag = response.headers.get("ETag", "").removeprefix("W/").strip('"')
    if tag:
        return str(tag)
    try:
        found = orjson.loads(response.content or b"null")
    except orjson.JSONDecodeError:
        return ""
    return version_of(found) if isinstance(found, dict) else ""


def _broken(why: str) -> SystemFault:
    return SystemFault(
        "fhir.answer",
        f"the server's answer {why}",
        fix="Check that base_url leads to a FHIR R4 server; ask its maker if it does.",
    )
