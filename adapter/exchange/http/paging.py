"""Following `next`: to the last page, on one origin, within limits, never in a circle."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson

from adapter.exchange.http.guard import Origin, UrlRefused, joined, origin_of
from adapter.plugin.errors import SystemFault
from adapter.plugin.http import Call, Http, NextLink

_FIX = "The peer's paging is wrong: show its support this code."


def next_of(response: httpx.Response) -> str | None:
    """The next page: the ``next`` link of a Link header (RFC 8288), or of a FHIR Bundle.

    Raises:
        SystemFault: the answer is not JSON, so that nobody can say whether there is more.
    """
    link = response.links.get("next", {}).get("url")
    if link:
        return str(link)
    if "json" not in response.headers.get("Content-Type", "json"):
        return None
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        raise SystemFault("http.truncated", "a page is not complete JSON", fix=_FIX) from None
    return _bundle_next(found)


def _bundle_next(bundle: Any) -> str | None:
    links = bundle.get("link") if isinstance(bundle, dict) else None
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next":
            url = link.get("url")
            return url if isinstance(url, str) and url else None
    return None


async def follow(
    client: Http,
    url: str,
    *,
    next_link: NextLink | None,
    max_pages: int,
    max_total_bytes: int,
    call: Call,
) -> AsyncIterator[httpx.Response]:
    """Every page from `url` on; see `adapter.plugin.http.Http.pages`."""
    find = next_link or next_of
    response = await client.get(url, **call)
    home = origin_of(str(response.request.url))
    asked = {str(response.request.url)}
    further: Call = {**call}
    further.pop("params", None)
    size, count = len(response.content), 1
    while True:
        following = find(response)
        yield response
        if following is None:
            return
        address = _checked(joined(str(response.request.url), following), home, asked)
        if count >= max_pages:
            raise SystemFault("paging.too-many", f"there are more than {max_pages} pages", fix=_FIX)
        response = await client.get(address, **further)
        asked.add(address)
        count += 1
        size += len(response.content)
        if size > max_total_bytes:
            raise SystemFault(
                "paging.too-large", f"the pages are larger than {max_total_bytes} bytes", fix=_FIX
            )


def _checked(address: str | None, home: Origin, asked: set[str]) -> str:
    try:
        foreign = address is None or origin_of(address) != home
    except UrlRefused:
        foreign = True
    if address is None or foreign:
        raise SystemFault(
            "paging.foreign-next",
            "the next page is at another origin; we did not ask for it",
            fix="The peer must build its links from the address that we use: set its base URL, or "
            "base_url to the address that it uses.",
        )
    if address in asked:
        raise SystemFault("paging.circle", "the next page is one that we had", fix=_FIX)
    return address
