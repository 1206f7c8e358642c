"""Search by type, with the parameters that the store can answer without reading anybody's name.

Identifiers and references are found by keyed hashes: equality only (FHIR R4 3.1.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import service_for
from adapter.api.read import resource
from adapter.api.response import FhirResponse
from adapter.store.resources import ResourceRow

PAGE = 50
MOST = 500
TYPES = (
    "Condition",
    "Consent",
    "DocumentReference",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Questionnaire",
    "QuestionnaireResponse",
    "RelatedPerson",
    "ServiceRequest",
    "Task",
)
_COLUMNS = {"status": "status", "code": "code", "patient": "subject", "subject": "subject"}
_KEYS: Mapping[str, Mapping[str, str]] = {
    "Task": {"owner": "reference", "requester": "reference", "focus": "reference"},
    "ServiceRequest": {"requester": "reference", "performer": "reference"},
}
_COMMON = {"_id": "token", "identifier": "token", "_count": "number"}
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    name: {
        **_COMMON,
        "status": "token",
        "code": "token",
        "patient": "reference",
        "subject": "reference",
        **_KEYS.get(name, {}),
    }
    for name in TYPES
}


async def search(request: Request) -> Response:
    """A searchset of the newest versions; unknown parameters are refused, not ignored."""
    service = service_for(request)
    type_name = request.path_params["type"]
    known = PARAMETERS.get(type_name)
    if known is None:
        raise HTTPException(404, f"There is no resource type {type_name} here.")
    given = dict(request.query_params)
    after = _number(given.pop("_after", "0"), "_after")
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise HTTPException(
            400, f"The search parameter {unknown[0]} is not known. Known: {', '.join(known)}."
        )
    count = min(_number(given.pop("_count", str(PAGE)), "_count"), MOST)
    found = await service.store.read(
        lambda tx: _find(tx, type_name, given, after=after, limit=count + 1)
    )
    base = f"{service.base_url()}/fhir"
    return FhirResponse(_searchset(found, count, base, type_name, request))


def _find(
    tx: Any, type_name: str, given: Mapping[str, str], *, after: int, limit: int
) -> list[tuple[int, ResourceRow]]:
    if "_id" in given:
        row = tx.resources.get(type_name, given["_id"])
        return [(0, row)] if row is not None else []
    columns = {_COLUMNS[name]: value for name, value in given.items() if name in _COLUMNS}
    if "subject" in columns and "/" not in columns["subject"]:
        columns["subject"] = f"Patient/{columns['subject']}"
    keys = {name: value for name, value in given.items() if name not in _COLUMNS}
    rows: list[tuple[int, ResourceRow]] = tx.resources.search(
        type_name, **columns, keys=keys, after=after, limit=limit
    )
    return rows


def _searchset(
    found: list[tuple[int, ResourceRow]], count: int, base: str, type_name: str, request: Request
) -> dict[str, Any]:
    shown = found[:count]
    links = [{"relation": "self", "url": f"{base}/{type_name}?{request.url.query}".rstrip("?")}]
    if len(found) > count and shown:
        more = {**dict(request.query_params), "_after": str(shown[-1][0])}
        links.append({"relation": "next", "url": f"{base}/{type_name}?{urlencode(more)}"})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if shown:
        bundle["entry"] = [
            {
                "fullUrl": f"{base}/{type_name}/{row.id}",
                "resource": resource(row),
                "search": {"mode": "match"},
            }
            for _, row in shown
        ]
    return bundle


def _number(text: str, name: str) -> int:
    if not text.isdigit() or len(text) > 18:
        raise HTTPException(400, f"{name} must be a whole number.")
    return int(text)
