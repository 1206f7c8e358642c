"""read, vread and history of one resource (FHIR R4 3.1.0.2, 3.1.0.3, 3.1.0.12)."""

from __future__ import annotations

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import admitted
from adapter.api.body import check_accept
from adapter.api.caller import Caller
from adapter.api.faults import Refused, refused
from adapter.api.offered import TYPES
from adapter.api.response import FhirResponse
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


async def history(request: Request) -> Response:
    """Every version of a resource, the newest first."""
    door = admitted(request)
    check_accept(request)
    type_name, identity = request.path_params["type"], request.path_params["id"]
    rows = await door.read(lambda caller: versions(caller, type_name, identity))
    base = f"{door.service.base_url()}/fhir"
    return FhirResponse(
        {
            "resourceType": "Bundle",
            "type": "history",
            "total": len(rows),
            "entry": [_history_entry(row, base) for row in rows],
        }
    )


def versions(caller: Caller, kind: str, identity: str) -> list[ResourceRow]:
    """Every version that the caller may see, the newest first; 404 if there is none."""
    caller.must("read", kind)
    every = caller.tx.resources.history(kind, identity) if kind in TYPES else []
    shown = (caller.compartment.shown(row, newest=row is every[0]) for row in every)
    rows = [row for row in shown if row is not None]
    if not rows:
        raise _unknown(kind)
    caller.saw(f"{kind}/{identity}", rows[0].referral)
    return rows


async def _one(request: Request, version: int | None) -> Response:
    door = admitted(request)
    check_accept(request)
    type_name, identity = request.path_params["type"], request.path_params["id"]
    row = await door.read(lambda caller: looked_up(caller, type_name, identity, version))
    if version is None and _known_version(request) == row.version:
        return Response(status_code=304, headers={"ETag": f'W/"{row.version}"'})
    return FhirResponse(resource(row), version=row.version, modified=row.last_updated)


def looked_up(caller: Caller, kind: str, identity: str, version: int | None = None) -> ResourceRow:
    """A resource that the caller may see, and the audit of it; 404 if there is none."""
    caller.must("read", kind)
    row = caller.get(kind, identity, version) if kind in TYPES else None
    if row is None:
        raise _unknown(kind)
    caller.saw(f"{kind}/{identity}", row.referral)
    return row


def resource(row: ResourceRow) -> dict[str, Any]:
    """A stored resource with its version in meta."""
    meta = {
        **row.content.get("meta", {}),
        "versionId": str(row.version),
        "lastUpdated": row.last_updated.isoformat(timespec="milliseconds"),
    }
    return {**row.content, "meta": meta}


def _history_entry(row: ResourceRow, base: str) -> dict[str, Any]:
    address = f"{row.type}/{row.id}"
    created = row.version == 1
    return {
        "fullUrl": f"{base}/{address}",
        "resource": resource(row),
        "request": {
            "method": "POST" if created else "PUT",
            "url": row.type if created else address,
        },
        "response": {
            "status": "201" if created else "200",
            "etag": f'W/"{row.version}"',
            "lastModified": row.last_updated.isoformat(timespec="milliseconds"),
        },
    }


def _known_version(request: Request) -> int | None:
    """The version of If-None-Match, if it names one (FHIR R4 3.1.0.1.3)."""
    plain = request.headers.get("if-none-match", "").strip().removeprefix("W/").strip('"')
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 10 else None


def _unknown(type_name: str) -> Refused:
    kind = type_name if type_name in TYPES else "resource type"
    return refused(404, f"There is no such {kind} here.", "http.url")
