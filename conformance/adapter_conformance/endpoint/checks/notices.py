"""Subscriptions: the way that SDOH-CC 3.0 prefers; polling is there for servers without them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from adapter_conformance.endpoint.catalogue import check
from adapter_conformance.endpoint.endpoint import Endpoint
from adapter_conformance.fakes.fhir_metadata import TOPIC
from adapter_conformance.fakes.fhir_notices import FILTER
from adapter_conformance.fakes.serving import beside
from adapter_conformance.fakes.webhook_receiver import WebhookReceiver
from adapter_conformance.requirement import Failed, NotRun, NotSupported

Json = dict[str, Any]
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
SECONDS = 8.0
LOOK = 0.1


async def _offered(endpoint: Endpoint) -> bool:
    """True if the endpoint has the topics of the backport.

    Raises:
        NotSupported: it has no subscriptions at all.
    """
    declared = await endpoint.declared("Subscription")
    codes = {each["code"] for each in declared.get("interaction", ())}
    if "create" not in codes:
        raise NotSupported("it declares no Subscription that can be created; Tasks are polled")
    topics = [each.get("valueCanonical") for each in declared.get("extension", ())]
    return TOPIC in topics


def _subscription(endpoint: Endpoint, backport: bool, address: str, criteria: str) -> Json:
    made: Json = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "synthetic run of a conformance kit",
        "criteria": TOPIC if backport else criteria,
        "channel": {"type": "rest-hook", "endpoint": address},
    }
    if backport:
        made["meta"] = {"profile": [f"{BACKPORT}/backport-subscription"]}
        made["_criteria"] = {"extension": [{"url": FILTER, "valueString": criteria}]}
        made["channel"]["payload"] = "application/fhir+json"
        content = {"url": f"{BACKPORT}/backport-payload-content", "valueCode": "id-only"}
        made["channel"]["_payload"] = {"extension": [content]}
    return made


@asynccontextmanager
async def _subscribed(endpoint: Endpoint) -> AsyncIterator[tuple[WebhookReceiver, Json]]:
    """A receiver, and a Subscription that is active and tells it of the kit's own Tasks."""
    backport = await _offered(endpoint)
    if not endpoint.on_loopback:
        raise NotRun("it could not reach the kit: it is on another machine")
    receiver = WebhookReceiver()
    async with beside(receiver.app) as address:
        agency = await endpoint.agency()
        criteria = f"Task?owner={agency}"
        asked = _subscription(endpoint, backport, f"{address}/hook", criteria)
        made = await endpoint.client.made_one(asked)
        try:
            yield receiver, await _active(endpoint, made)
        finally:
            await endpoint.client.put({**made, "status": "off"})


async def _active(endpoint: Endpoint, made: Json) -> Json:
    for _ in range(int(SECONDS / LOOK)):
        now = await endpoint.client.read(f"Subscription/{made['id']}")
        if now.get("status") == "active":
            return now
        await asyncio.sleep(LOOK)
    raise Failed(f"a Subscription is {now.get('status')} after {SECONDS:.0f} s, not active")


@check("subscription.active")
async def active(endpoint: Endpoint) -> None:
    """A rest-hook becomes active."""
    async with _subscribed(endpoint):
        pass


@check("subscription.tells")
async def tells(endpoint: Endpoint) -> None:
    """The receiver hears of a Task, and what it hears names nobody."""
    async with _subscribed(endpoint) as (receiver, _):
        before = len(receiver.received)
        await endpoint.referral(owner={"reference": await endpoint.agency()})
        for _ in range(int(SECONDS / LOOK)):
            if any(b"handshake" not in each.body for each in receiver.received[before:]):
                return
            await asyncio.sleep(LOOK)
    raise Failed(f"nothing came within {SECONDS:.0f} s of a new Task that was subscribed to")
