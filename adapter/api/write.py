"""create, update and patch over HTTP; and what a written resource is answered with."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import admitted
from adapter.api.body import (
    JSON_PATCH,
    check_accept,
    check_resource,
    json_body,
    media_type,
    resource_body,
    version_wanted,
)
from adapter.api.elsewhere import create_with_request, is_elsewhere
from adapter.api.faults import refused
from adapter.api.formats import FHIR_JSON, FHIR_XML
from adapter.api.offered import TYPES
from adapter.api.patches import fhirpath_patch, json_patch
from adapter.api.read import resource
from adapter.api.response import FhirResponse, outcome
from adapter.api.writes import Written, create, patch, update, update_where
from adapter.exchange.service import Service


def served(request: Request) -> str:
    """The resource type of the address; 404 if it is not served here."""
    kind: str = request.path_params["type"]
    if kind not in TYPES:
        raise refused(404, "There is no such resource type here.", "http.url")
    return kind


async def create_one(request: Request) -> Response:
    """POST of a type, with If-None-Exist (FHIR R4 3.1.0.8)."""
    door = admitted(request)
    check_accept(request)
    kind = served(request)
    content = await resource_body(request, kind)
    check_resource(content)
    condition = request.headers.get("if-none-exist")
    if kind == "Task" and is_elsewhere(content, f"{door.service.base_url()}/fhir"):
        written = await create_with_request(door, content, condition)
    else:
        written = await door.write(lambda caller: create(caller, content, if_none_exist=condition))
    return answered(written, door.service, request)


async def update_one(request: Request) -> Response:
    """PUT of a resource, with If-Match, or by a search (FHIR R4 3.1.0.4)."""
    door = admitted(request)
    check_accept(request)
    kind, identity = served(request), request.path_params.get("id")
    content = await resource_body(request, kind)
    if identity is not None and content.get("id") != identity:
        raise refused(400, "the id is that of the address", f"{kind}.id")
    check_resource(content)
    version = version_wanted(request)
    if identity is None:
        query = request.url.query
        written = await door.write(lambda caller: update_where(caller, query, content, version))
    else:
        written = await door.write(
            lambda caller: update(caller, kind, identity, content, version=version)
        )
    return answered(written, door.service, request)


async def patch_one(request: Request) -> Response:
    """PATCH of a Task: JSON Patch, or FHIRPath Patch in Parameters (FHIR R4 3.1.0.6)."""
    door = admitted(request)
    check_accept(request)
    if served(request) != "Task":
        raise HTTPException(405, "Only a Task can be patched; use PUT.", _allowed(request))
    media = media_type(request, JSON_PATCH, *FHIR_JSON, *FHIR_XML)
    if media == JSON_PATCH:
        change = json_patch(await json_body(request))
    else:
        parameters = await resource_body(request, "Parameters")
        check_resource(parameters)
        change = fhirpath_patch(parameters)
    version, identity = version_wanted(request), request.path_params["id"]
    written = await door.write(lambda caller: patch(caller, identity, change, version))
    return answered(written, door.service, request)


async def refuse_delete(request: Request) -> Response:
    """DELETE is not offered: a referral is cancelled, a mistake is entered-in-error."""
    admitted(request)
    text = "Nothing is deleted here; set the status entered-in-error, or cancel."
    raise HTTPException(405, text, _allowed(request))


async def refuse_method(request: Request) -> Response:
    """A method that nothing here has."""
    raise HTTPException(405, headers=_allowed(request))


def _allowed(request: Request) -> dict[str, str]:
    """What may be done at this address (RFC 9110 15.5.6)."""
    if "id" not in request.path_params:
        return {"Allow": "GET, HEAD, POST, PUT"}
    task = request.path_params["type"] == "Task"
    return {"Allow": "GET, HEAD, PUT, PATCH" if task else "GET, HEAD, PUT"}


def answered(written: Written, service: Service, request: Request) -> Response:
    """The answer to a write, as Prefer asks (FHIR R4 3.1.0.1.7)."""
    if written.blocked is not None:
        raise written.blocked
    row = written.row
    if row is None:
        raise refused(404, "The resource is not here any more.", "http.url")
    status = 201 if written.created else 200
    preferred = request.headers.get("prefer", "").replace(" ", "")
    content = resource(row)
    if "return=OperationOutcome" in preferred:
        content = outcome("informational", "Stored.", "information")
    response: Response = FhirResponse(
        content, status, version=row.version, modified=row.last_updated
    )
    if "return=minimal" in preferred:
        headers = {n: v for n, v in response.headers.items() if n != "content-length"}
        response = Response(status_code=status, headers=headers)
    base = f"{service.base_url()}/fhir"
    response.headers["Location"] = f"{base}/{row.type}/{row.id}/_history/{row.version}"
    return response
