"""read, vread and history of one resource (FHIR R4 3.1.0.2, 3.1.0.3, 3.1.0.12)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import admitted
from adapter.api.body import check_accept
from adapter.api.caller import Caller
from adapter.api.faults import Refused, refused
from adapter.api.offered import TYPES
from adapter.api.paging import Pairs, page_of, page_token
from adapter.api.parameters import prefixed
from adapter.api.response import FhirResponse
from adapter.store.resources import ResourceRow

PAGE = 50
MOST = 500
CHUNK = 200


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


async def type_history(request: Request) -> Response:
    """Every version of every resource of a type, the newest first, by pages."""
    door = admitted(request)
    check_accept(request)
    kind, asked = request.path_params["type"], list(request.query_params.multi_items())
    return FhirResponse(await door.read(lambda caller: _changes(caller, kind, asked)))


def _changes(caller: Caller, kind: str, asked: Pairs) -> dict[str, Any]:
    if kind not in TYPES:
        raise _unknown(kind)
    caller.must("search", kind)
    service, before = caller.service, 0
    self_url = f"{caller.base}/{kind}/_history" + (f"?{urlencode(asked)}" if asked else "")
    token = next((value for name, value in asked if name == "_page"), None)
    if token is not None:
        asked, before = page_of(service.keyring, caller.party, f"{kind}/_history", token)
    count, since = _asked(asked)
    links = [{"relation": "self", "url": self_url}]
    found: list[ResourceRow] = []
    newest: dict[str, int] = {}
    search, party = caller.tx.resources.changes, caller.narrowed(kind)
    while True:
        rows = search(kind, party=party, since=since, before=before, limit=CHUNK)
        for sequence, row in rows:
            if row.id not in newest:
                stored = caller.tx.resources.get(kind, row.id)
                newest[row.id] = stored.version if stored else row.version
            shown = caller.compartment.shown(row, newest=newest[row.id] == row.version)
            if shown is not None and len(found) == count:
                place = f"{kind}/_history"
                token = page_token(service.keyring, caller.party, place, asked, before)
                url = f"{caller.base}/{place}?_page={token}"
                links.append({"relation": "next", "url": url})
                caller.found(kind, found)
                return _history_bundle(found, links, caller.base)
            before = sequence
            if shown is not None:
                found.append(shown)
        if len(rows) < CHUNK:
            caller.found(kind, found)
            return _history_bundle(found, links, caller.base)


def _asked(asked: Pairs) -> tuple[int, datetime | None]:
    """How many, and since when."""
    count, since = PAGE, None
    for name, text in asked:
        if name == "_count" and text.isascii() and text.isdigit() and 0 < len(text) < 10:
            count = max(1, min(int(text), MOST))
        elif name == "_since":
            since = prefixed(text, "_since")[1][0]
        elif name not in ("_format", "_pretty"):
            raise refused(400, "a history knows _count and _since", "http.query")
    return count, since


def _history_bundle(
    rows: list[ResourceRow], links: list[dict[str, str]], base: str
) -> dict[str, Any]:
    made: dict[str, Any] = {"resourceType": "Bundle", "type": "history", "link": links}
    if rows:
        made["entry"] = [_history_entry(row, base) for row in rows]
    return made


def versions(caller: Caller, kind: str, identity: str) -> list[ResourceRow]:
    """Every version that the caller may see, the newest first; 404 if there is none."""
    caller.must("read", kind)
    every = caller.tx.resources.history(kind, identity) if kind in TYPES else []
    shown = (caller.compartment.shown(row, newest=row is every[0]) for row in every)
    rows = [row for row in shown if row is not None]
    if not rows:
        raise _unknown(kind)
    caller.saw(rows[0])
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
    caller.saw(row)
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
