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
from adapter.api.query import Query, plain_word
from adapter.api.read import resource
from adapter.api.response import FhirResponse, outcome
from adapter.api.sorting import is_after, key_of, sorted_by
from adapter.api.standing import now, standing
from adapter.api.subsets import subset
from adapter.fhir.bundles import searchset
from adapter.store.resources import ResourceRow

SORTED = 5000
"""As many can be put into an order of their own."""


def answer(
    caller: Caller, query: Query, asked: Pairs, after: Any = None, until: int = 0
) -> dict[str, Any]:
    """The searchset of one page, and the audit of it.

    Args:
        after: the place or the sort key of the last resource of the page before.
        until: the last place that there was when the search began; 0 on the first page.
    """
    caller.must("search", query.kind)
    base = caller.base
    self_url = f"{base}/{query.kind}" + (f"?{urlencode(asked)}" if asked else "")
    links = {"self": self_url}
    if query.summary == "count":
        caller.found(query.kind, ())
        return searchset([], total=_counted(caller, query, until), links=links)
    found = (
        _ordered(caller, query, after, until)
        if query.orders
        else [
            (one.place, one.shown)
            for one in islice(standing(caller, query, after or 0, until), query.count + 1)
        ]
    )
    shown = found[: query.count]
    total = None
    if len(found) > query.count:
        token = page_token(
            caller.service.keyring,
            caller.party,
            query.kind,
            asked,
            shown[-1][0],
            until or now(caller, query.kind),
        )
        links["next"] = f"{base}/{query.kind}?_page={token}"
    elif after is None and query.total != "none":
        total = len(shown)
    if total is None and query.total in ("accurate", "estimate"):
        total = _counted(caller, query, until)
    rows = [row for _, row in shown]
    others = included(caller, rows, query.include)
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


def _counted(caller: Caller, query: Query, until: int) -> int:
    return sum(1 for _ in standing(caller, query, 0, until))


def _ordered(caller: Caller, query: Query, after: Any, until: int) -> list[tuple[Any, ResourceRow]]:
    """One page and one more, each with its sort key; 400 where there is too much to sort."""
    every = list(islice(standing(caller, query, 0, until), SORTED + 1))
    if len(every) > SORTED:
        text = f"more than {SORTED} fit; narrow the search, or sort by _lastUpdated"
        raise refused(400, text, "http._sort", code="too-costly")
    keyed = [(key_of(query.orders, resource(x.sorted_by), x.place), x.shown) for x in every]
    if after is not None:
        keyed = [each for each in keyed if is_after(query.orders, each[0], after)]
    return sorted_by(query.orders, keyed)[: query.count + 1]


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
    after, until = None, 0
    token = next((value for name, value in asked if name == "_page"), None)
    if token is not None:
        asked, after, until = page_of(caller.service.keyring, caller.party, kind, token)
    understood = unchained(caller, kind, asked)
    query = Query.of(kind, understood, base=caller.base, lenient=lenient or after is not None)
    return answer(caller, query, asked, after, until)
