"""Search by type over HTTP (FHIR R4 3.1.1): read and POST, include, count, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from adapter.api.access import Door, admitted
from adapter.api.body import FORM, body, check_accept, media_type
from adapter.api.caller import Caller
from adapter.api.chains import unchained
from adapter.api.faults import refused
from adapter.api.included import included
from adapter.api.paging import Pairs, page_of, page_token
from adapter.api.query import Query, plain_word, walk
from adapter.api.read import resource
from adapter.api.response import FhirResponse, outcome
from adapter.api.subsets import subset
from adapter.fhir.bundles import searchset
from adapter.store.resources import ResourceRow


def answer(caller: Caller, query: Query, asked: Pairs, after: int) -> dict[str, Any]:
    """The searchset of one page, and the audit of it."""
    caller.must("search", query.kind)
    base = caller.base
    self_url = f"{base}/{query.kind}" + (f"?{urlencode(asked)}" if asked else "")
    links = {"self": self_url}
    if query.summary == "count":
        caller.found(query.kind, ())
        return searchset([], total=sum(1 for _ in walk(caller, query, 0)), links=links)
    found = list(islice(walk(caller, query, after), query.count + 1))
    shown = found[: query.count]
    total = None
    if len(found) > query.count:
        keyring = caller.service.keyring
        token = page_token(keyring, caller.party, query.kind, asked, shown[-1][0])
        links["next"] = f"{base}/{query.kind}?_page={token}"
    elif not after and query.total != "none":
        total = len(shown)
    if total is None and query.total in ("accurate", "estimate"):
        total = sum(1 for _ in walk(caller, query, 0))
    rows = [row for _, row in shown]
    others = included(caller, rows, query.include, query.revinclude)
    caller.found(query.kind, (*rows, *others))
    told = None
    if query.ignored:
        names = ", ".join(plain_word(each) for each in query.ignored)
        told = outcome("not-supported", f"These parameters were not used: {names}.", "warning")
    part = subset(query.summary, query.elements)
    whole = subset("false" if query.elements else query.summary, frozenset())
    return searchset(
        _addressed(rows, base, part),
        included=_addressed(others, base, whole),
        outcome=told,
        total=total,
        links=links,
    )


def _addressed(
    rows: Iterable[ResourceRow], base: str, part: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{base}/{row.type}/{row.id}", part(resource(row))) for row in rows]


async def search(request: Request) -> Response:
    """GET of a type: a page of what fits."""
    door = admitted(request)
    check_accept(request)
    return await _search(door, request, list(request.query_params.multi_items()))


async def post_search(request: Request) -> Response:
    """POST to ``_search``: the same with parameters in the body, out of addresses and logs."""
    door = admitted(request)
    check_accept(request)
    media_type(request, FORM)
    try:
        inside = parse_qsl(
            (await body(request)).decode(), keep_blank_values=True, max_num_fields=200
        )
    except ValueError:
        raise refused(400, "the body is not a form in UTF-8", "http.body") from None
    return await _search(door, request, [*request.query_params.multi_items(), *inside])


async def _search(door: Door, request: Request, asked: Pairs) -> Response:
    kind = request.path_params["type"]
    lenient = "handling=lenient" in request.headers.get("prefer", "").replace(" ", "")
    return FhirResponse(await door.read(lambda caller: page(caller, kind, asked, lenient)))


def page(caller: Caller, kind: str, asked: Pairs, lenient: bool = False) -> dict[str, Any]:
    """The first page of a search, or the one that a token names."""
    after = 0
    token = next((value for name, value in asked if name == "_page"), None)
    if token is not None:
        asked, after = page_of(caller.service.keyring, caller.party, kind, token)
    understood = unchained(caller, kind, asked)
    query = Query.of(kind, understood, base=caller.base, lenient=lenient)
    return answer(caller, query, asked, after)
