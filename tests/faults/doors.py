"""Every door that says yes over HTTP: service and power go the moment it has said so."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from adapter.store.transaction import Transaction
from tests.faults.platter import Platter, sync
from tests.faults.stage import Configuration, Stage
from tests.faults.tour import Tour
from tests.integration.api.test_smart_serve import subscription

Json = dict[str, Any]
There = Callable[[Transaction], bool]
"""Whether what was said to be done is in the store."""

PEER = Configuration(
    sites="""
[sites.peer]
system = "reference"
role = "requester"
organization = "Synthetic"
test = true
[sites.peer.settings]
base_url = "http://127.0.0.1:9/"
"""
)
_ORGANIZATION = {"resourceType": "Organization", "name": "Synthetic"}


async def _created(stage: Stage, http: httpx.AsyncClient) -> There:
    made = await _ask(http, "POST", f"{stage.ready['fhir']}/Organization", _ORGANIZATION)
    return _names(made["id"], "Synthetic")


async def _updated(stage: Stage, http: httpx.AsyncClient) -> There:
    place = f"{stage.ready['fhir']}/Organization"
    made = await _ask(http, "POST", place, _ORGANIZATION)
    await _ask(http, "PUT", f"{place}/{made['id']}", {**made, "name": "Another"})
    return _names(made["id"], "Another")


async def _transacted(stage: Stage, http: httpx.AsyncClient) -> There:
    entry = {"resource": _ORGANIZATION, "request": {"method": "POST", "url": "Organization"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry, entry]}
    said = await _ask(http, "POST", stage.ready["fhir"], bundle)
    made = [each["response"]["location"].split("/")[-3] for each in said["entry"]]
    return lambda tx: all(_names(each, "Synthetic")(tx) for each in made)


async def _subscribed(stage: Stage, http: httpx.AsyncClient) -> There:
    place = f"{stage.ready['fhir']}/Subscription"
    made = await _ask(http, "POST", place, subscription("http://127.0.0.1:9/"))
    return lambda tx: tx.subscriptions.get(made["id"]) is not None


async def _received(stage: Stage, http: httpx.AsyncClient) -> There:
    base = stage.ready["fhir"].removesuffix("/fhir")
    message = {"type": "request", "id": f"door-{time.monotonic_ns()}"}
    await _ask(http, "POST", f"{base}/sites/peer/messages", message)
    return lambda tx: message["id"] in [row.key for row in tx.inbox.list()]


DOORS = (_created, _updated, _transacted, _subscribed, _received)


async def cut_after_each(tour: Tour, stage: Stage, disk: Platter, kind: str) -> None:
    """Once through every door."""
    await stage.start()
    sync(disk.folder)
    for door in DOORS:
        async with httpx.AsyncClient(timeout=20) as http:
            there = await door(stage, http)
        await stage.kill()
        await disk.cut()
        stage.let_go()
        await disk.restore()
        began = time.monotonic()
        await stage.start()
        recovery = time.monotonic() - began
        assert stage.store is not None
        found = stage.store.read_now(there)
        tour.say(f"{kind}: after {door.__name__[1:]} over HTTP: {'there' if found else 'LOST'}")
        tour.results.add(
            "after a yes over HTTP", kind, "sqlite", acknowledged=1, effects=int(found),
            lost=int(not found), duplicated=0, recovery=recovery,
        )  # fmt: skip


def _names(identity: str, name: str) -> There:
    def there(tx: Transaction) -> bool:
        row = tx.resources.get("Organization", identity)
        return row is not None and row.content["name"] == name

    return there


async def _ask(http: httpx.AsyncClient, method: str, place: str, body: Json) -> Json:
    kind = "application/fhir+json" if "resourceType" in body else "application/json"
    answer = await http.request(method, place, json=body, headers={"Content-Type": kind})
    assert answer.status_code in (200, 201, 202), f"{place}: {answer.status_code} {answer.text}"
    said: Json = answer.json()
    return said
