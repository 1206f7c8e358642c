"""read and vread (FHIR R4 3.1.0.2, 3.1.0.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import admitted
from adapter.api.body import check_accept
from adapter.api.caller import Caller
from adapter.api.conditional import is_known
from adapter.api.faults import Refused, refused
from adapter.api.offered import TYPES
from adapter.api.response import FhirResponse
from adapter.api.subsets import SUMMARIES, subset
from adapter.store.resources import ResourceRow


async def read(request: Request) -> Response:
    """The current version of a resource."""
    return await _one(request, None)


async def vread(request: Request) -> Response:
    """One version of a resource."""
    version = request.path_params["version"]
    if not (version.isascii() and version.isdigit()) or len(version) > 9:
        raise HTTPException(404, "There is no such version.")
    return await _one(request, int(version))


async def _one(request: Request, version: int | None) -> Response:
    door = admitted(request)
    check_accept(request)
    type_name, identity = request.path_params["type"], request.path_params["id"]
    part = _part(request)
    row = await door.read(lambda caller: looked_up(caller, type_name, identity, version))
    if version is None and is_known(request.headers, row):
        return Response(status_code=304, headers={"ETag": f'W/"{row.version}"'})
    return FhirResponse(part(resource(row)), version=row.version, modified=row.last_updated)


def _part(request: Request) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """The part of a resource that `_summary` or `_elements` ask for (FHIR R4 3.1.0.2)."""
    summary = request.query_params.get("_summary", "false")
    if summary not in SUMMARIES or summary == "count":
        known = ", ".join(each for each in SUMMARIES if each != "count")
        raise refused(400, f"of a read this may be: {known}", "http._summary")
    names = ",".join(request.query_params.getlist("_elements")).split(",")
    elements = frozenset(each.strip().rpartition(".")[2] for each in names if each.strip())
    return subset(summary, elements)


def looked_up(caller: Caller, kind: str, identity: str, version: int | None = None) -> ResourceRow:
    """A resource that the caller may see, and the audit of it; 404 if there is none."""
    caller.must("read", kind)
    row = caller.get(kind, identity, version) if kind in TYPES else None
    if row is None:
        raise unknown(kind)
    caller.saw(row)
    return row


def resource(row: ResourceRow) -> dict[str, Any]:
    """A stored resource with its version in meta."""
    meta = {
        **row.content.get("meta", {}),
        "versionId": str(row.version),
        "lastUpdated": row.last_updated.isoformat(timespec="milliseconds"),
    }
    head = {"resourceType": row.type, "id": row.id, "meta": meta}
    return {**head, **row.content, "meta": meta}


def unknown(type_name: str) -> Refused:
    """404 for what is not here, or is not to be seen."""
    kind = type_name if type_name in TYPES else "resource type"
    return refused(404, f"There is no such {kind} here.", "http.url")
