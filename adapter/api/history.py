"""History of one resource, and of a type, the newest version first (FHIR R4 3.1.0.12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import admitted
from adapter.api.body import check_accept
from adapter.api.caller import Caller
from adapter.api.comparisons import prefixed
from adapter.api.faults import refused
from adapter.api.offered import TYPES
from adapter.api.paging import Pairs, page_of, page_token
from adapter.api.read import resource, unknown
from adapter.api.response import FhirResponse
from adapter.store.resources import ResourceRow

PAGE = 50
MOST = 500
CHUNK = 200
Placed = tuple[int, ResourceRow]


async def history(request: Request) -> Response:
    """Every version of a resource, by pages."""
    door = admitted(request)
    check_accept(request)
    kind, identity = request.path_params["type"], request.path_params["id"]
    asked = list(request.query_params.multi_items())
    return FhirResponse(await door.read(lambda caller: of_one(caller, kind, identity, asked)))


async def type_history(request: Request) -> Response:
    """Every version of every resource of a type, by pages."""
    door = admitted(request)
    check_accept(request)
    kind, asked = request.path_params["type"], list(request.query_params.multi_items())
    return FhirResponse(await door.read(lambda caller: of_type(caller, kind, asked)))


def of_one(caller: Caller, kind: str, identity: str, asked: Pairs) -> dict[str, Any]:
    """A page of the versions that the caller may see; 404 if there is none."""
    caller.must("read", kind)
    every = caller.tx.resources.history(kind, identity) if kind in TYPES else []
    shown = (caller.compartment.shown(row, newest=row is every[0]) for row in every)
    rows = [row for row in shown if row is not None]
    if not rows:
        raise unknown(kind)
    caller.saw(rows[0])
    place = f"{kind}/{identity}/_history"
    links, asked, before = _begun(caller, place, asked)
    count, since = _understood(asked)
    rows = [row for row in rows if since is None or row.last_updated >= since]
    later = ((row.version, row) for row in rows if not before or row.version < before)
    bundle, _ = _page(caller, place, asked, links, later, count)
    return {**bundle, "total": len(rows)}


def of_type(caller: Caller, kind: str, asked: Pairs) -> dict[str, Any]:
    """A page of the versions of every resource that the caller may see."""
    if kind not in TYPES:
        raise unknown(kind)
    caller.must("search", kind)
    place = f"{kind}/_history"
    links, asked, before = _begun(caller, place, asked)
    count, since = _understood(asked)
    bundle, rows = _page(caller, place, asked, links, _changes(caller, kind, since, before), count)
    caller.found(kind, rows)
    return bundle


def _changes(caller: Caller, kind: str, since: datetime | None, before: int) -> Iterator[Placed]:
    newest: dict[str, int] = {}
    search, party = caller.tx.resources.changes, caller.narrowed(kind)
    while True:
        rows = search(kind, party=party, since=since, before=before, limit=CHUNK)
        for before, row in rows:
            if row.id not in newest:
                stored = caller.tx.resources.get(kind, row.id)
                newest[row.id] = stored.version if stored else row.version
            shown = caller.compartment.shown(row, newest=newest[row.id] == row.version)
            if shown is not None:
                yield before, shown
        if len(rows) < CHUNK:
            return


def _begun(caller: Caller, place: str, asked: Pairs) -> tuple[list[dict[str, str]], Pairs, int]:
    """The link to this page, the question that it is part of, and where it goes on."""
    url = f"{caller.base}/{place}" + (f"?{urlencode(asked)}" if asked else "")
    links = [{"relation": "self", "url": url}]
    token = next((value for name, value in asked if name == "_page"), None)
    if token is None:
        return links, asked, 0
    held, before, _ = page_of(caller.service.keyring, caller.party, place, token)
    return links, held, before


def _understood(asked: Pairs) -> tuple[int, datetime | None]:
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


def _page(
    caller: Caller,
    place: str,
    asked: Pairs,
    links: list[dict[str, str]],
    placed: Iterable[Placed],
    count: int,
) -> tuple[dict[str, Any], list[ResourceRow]]:
    """A Bundle of the first of these versions, which leads to the others, and its rows."""
    found = list(islice(placed, count + 1))
    shown = found[:count]
    if len(found) > count:
        token = page_token(caller.service.keyring, caller.party, place, asked, shown[-1][0])
        links.append({"relation": "next", "url": f"{caller.base}/{place}?_page={token}"})
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "history", "link": links}
    if shown:
        bundle["entry"] = [_entry(row, caller.base) for _, row in shown]
    return bundle, [row for _, row in shown]


def _entry(row: ResourceRow, base: str) -> dict[str, Any]:
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
