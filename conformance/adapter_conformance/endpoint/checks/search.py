"""Searching: how a party finds its Tasks, and what changed (R4 3.1.1, SDOH-CC 3.0 polling)."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

from adapter_conformance.endpoint.catalogue import check
from adapter_conformance.endpoint.client import FHIR, matches_of, next_link
from adapter_conformance.endpoint.endpoint import Endpoint
from adapter_conformance.endpoint.people import NUMBERS
from adapter_conformance.requirement import Failed

FEW = 5
TICK = 0.02
"""Seconds after which a server's clock of milliseconds has moved."""


async def _ids(endpoint: Endpoint, query: str) -> list[str]:
    """What a search finds, page after page."""
    pages = [page async for page in endpoint.client.pages(query)]
    return [each["id"] for page in pages for each in matches_of(page)]


def _holds(found: list[str], wanted: str, but: str, what: str) -> None:
    if wanted not in found:
        raise Failed(f"a search by {what} does not find the Task")
    if but in found:
        raise Failed(f"a search by {what} finds a Task that it should not")


@check("search.by-identifier")
async def by_identifier(endpoint: Endpoint) -> None:
    """By the business identifier."""
    one, other = await endpoint.referral(), await endpoint.referral()
    number = one.task["identifier"][0]["value"]
    found = await _ids(endpoint, f"Task?identifier={quote(f'{NUMBERS}|{number}')}")
    _holds(found, one.task["id"], other.task["id"], "identifier")


@check("search.by-status")
async def by_status(endpoint: Endpoint) -> None:
    """By status, of one client."""
    one, other = await endpoint.referral(), await endpoint.referral("accepted")
    found = await _ids(endpoint, f"Task?patient={one.patient}&status=requested")
    _holds(found, one.task["id"], other.task["id"], "status")


@check("search.by-owner")
async def by_owner(endpoint: Endpoint) -> None:
    """By who is to do it."""
    owner = await endpoint.agency()
    one = await endpoint.referral(owner={"reference": owner})
    other = await endpoint.referral()
    found = await _ids(endpoint, f"Task?owner={owner}")
    _holds(found, one.task["id"], other.task["id"], "owner")


@check("search.by-requester")
async def by_requester(endpoint: Endpoint) -> None:
    """By who asked."""
    requester = await endpoint.clinic()
    one = await endpoint.referral(requester={"reference": requester})
    other = await endpoint.referral()
    found = await _ids(endpoint, f"Task?requester={requester}")
    _holds(found, one.task["id"], other.task["id"], "requester")


@check("search.by-focus")
async def by_focus(endpoint: Endpoint) -> None:
    """By the request that is to be fulfilled."""
    one, other = await endpoint.referral(), await endpoint.referral()
    found = await _ids(endpoint, f"Task?focus={one.request}")
    _holds(found, one.task["id"], other.task["id"], "focus")


@check("search.unclaimed")
async def unclaimed(endpoint: Endpoint) -> None:
    """Tasks that nobody owns yet."""
    one = await endpoint.referral(open_to_all=True)
    other = await endpoint.referral(owner={"reference": await endpoint.agency()})
    query = f"Task?owner:missing=true&status=requested&patient={one.patient}"
    _holds(await _ids(endpoint, query), one.task["id"], other.task["id"], "owner:missing")


@check("search.since")
async def since(endpoint: Endpoint) -> None:
    """What changed after a moment."""
    other, one = await endpoint.referral(), await endpoint.referral()
    moment = one.task["meta"]["lastUpdated"]
    await asyncio.sleep(TICK)
    moved = await endpoint.moved(one, "accepted")
    if moved.task["meta"].get("lastUpdated") == moment:
        raise Failed("meta.lastUpdated did not change with an update")
    query = f"Task?patient={one.patient}&_lastUpdated=gt{quote(moment, safe='')}"
    found = await _ids(endpoint, query)
    _holds(found, one.task["id"], other.task["id"], "_lastUpdated")


@check("search.pages")
async def pages(endpoint: Endpoint) -> None:
    """Everything once, two at a time."""
    request = await endpoint.asked()
    made = {(await endpoint.referral(request=request)).task["id"] for _ in range(FEW)}
    query = f"Task?focus={request}&_count=2"
    seen = [page async for page in endpoint.client.pages(query)]
    found = [each["id"] for page in seen for each in matches_of(page)]
    if len(seen) < FEW // 2 or any(len(matches_of(page)) > 2 for page in seen):
        raise Failed(f"_count=2 gave {len(seen)} pages of {len(found)} Tasks")
    if sorted(found) != sorted(made):
        raise Failed(f"{len(set(found) & made)} of {FEW} Tasks were in {len(seen)} pages")


@check("search.searchset")
async def searchset(endpoint: Endpoint) -> None:
    """The Bundle has what a reader needs."""
    made = await endpoint.referral()
    page = await endpoint.client.search(f"Task?focus={made.request}")
    entry: dict[str, Any] = next(iter(page.get("entry", ())), {})
    if not str(entry.get("fullUrl", "")).endswith(f"/{made.path}"):
        raise Failed("an entry's fullUrl is not the address of its resource")
    if entry.get("search", {}).get("mode") != "match":
        raise Failed("an entry does not say that it was found (search.mode)")
    if not any(link.get("relation") == "self" for link in page.get("link", ())):
        raise Failed("there is no self link, which says what was understood")
    if next_link(page):
        raise Failed("there is a next link where everything was given")


@check("search.include-focus")
async def include_focus(endpoint: Endpoint) -> None:
    """The request comes with its Task."""
    made = await endpoint.referral()
    number = made.task["identifier"][0]["value"]
    asked = quote(f"{NUMBERS}|{number}")
    page = await endpoint.client.search(f"Task?identifier={asked}&_include=Task:focus")
    found = [
        f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        for entry in page.get("entry", ())
    ]
    if made.request not in found:
        raise Failed("_include=Task:focus does not bring the ServiceRequest")


@check("search.by-post")
async def by_post(endpoint: Endpoint) -> None:
    """POST _search, which keeps identifiers out of addresses."""
    made = await endpoint.referral()
    number = made.task["identifier"][0]["value"]
    form = f"identifier={quote(f'{NUMBERS}|{number}')}".encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": FHIR}
    answer = await endpoint.client.ask("POST", "Task/_search", raw=form, headers=headers)
    if answer.status != 200:
        raise Failed(f"POST _search gave {answer.status}, not 200")
    if [each["id"] for each in matches_of(answer.resource)] != [made.task["id"]]:
        raise Failed("POST _search does not find the Task")


@check("search.unknown-told")
async def unknown_told(endpoint: Endpoint) -> None:
    """Nobody is given everything because a parameter was misspelt."""
    await endpoint.referral()
    headers = {"Prefer": "handling=strict"}
    answer = await endpoint.client.ask("GET", "Task?synthetic-nothing=1&_count=1", headers=headers)
    await endpoint.refused(answer, "a parameter that does not exist, asked strictly", (400,))
