"""Our subscriptions on a server: made, looked after, and caught up with when something was missed.

The subscriber finds gaps itself (Subscriptions R5 Backport 1.1.0, Error handling): event numbers
that jump, a count in a heartbeat that is higher than what we saw, a status that says error. Then
the missed events are asked for (`$events`), or everything since the last look is searched. Polling
goes on besides, so that a subscription that died in silence only costs time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson

from adapter.plugin import Context, DataError, GoneError, Inbound
from adapter_fhir.answers import FHIR_JSON, place_put, resource_of
from adapter_fhir.config import FhirConfig
from adapter_fhir.notifications import Notification, notification_of
from adapter_fhir.statement import Offers

Json = dict[str, Any]
TOPIC = "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Task"
BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition"
MEDPLUM = "https://www.medplum.com/fhir/StructureDefinition/subscription-secret"
_DONE = frozenset({"off", "error"})

Poll = Callable[[str | None], AsyncIterator[tuple[Inbound, str]]]
Read = Callable[[str], Awaitable[list[Inbound]]]


class Subscriptions:
    """The subscriptions of one site."""

    def __init__(self, context: Context, config: FhirConfig, *, poll: Poll, read: Read) -> None:
        self._context = context
        self._config = config
        self._poll = poll
        self._read = read
        self.token = context.token("subscription").hex()

    # -- looking after them -------------------------------------------------------------------

    async def ensure(self, offers: Offers) -> None:
        """Have one active subscription for each thing that we want to hear of."""
        if self._config.subscribe == "off":
            return
        for criteria in self._criteria():
            place = await self._context.state.get(f"subscription|{criteria}")
            if place is not None and await self._alive(place.decode()):
                continue
            made = await self._create(criteria, offers)
            await self._context.state.put(f"subscription|{criteria}", made.encode())
            await self._context.state.delete(f"events|{made}")

    def _criteria(self) -> list[str]:
        us, role = self._config.us, self._context.site.role
        found = [f"Task?owner={us}"] if us and role != "performer" else []
        return found + ([f"Task?requester={us}"] if us and role != "requester" else [])

    async def _alive(self, place: str) -> bool:
        try:
            response = await self._context.http.get(
                place, headers=FHIR_JSON, route="/Subscription/{id}"
            )
        except (DataError, GoneError):
            return False
        return resource_of(response, "Subscription").get("status") not in _DONE

    async def _create(self, criteria: str, offers: Offers) -> str:
        channel: Json = {
            "type": "rest-hook",
            "endpoint": self._context.url("notify"),
            "header": [f"Authorization: Bearer {self.token}"],
        }
        resource: Json = {
            "resourceType": "Subscription",
            "status": "requested",
            "reason": "News of referral Tasks",
            "criteria": criteria,
            "channel": channel,
        }
        if self._config.subscribe == "backport":
            resource |= {
                "meta": {"profile": [f"{BACKPORT}/backport-subscription"]},
                "criteria": TOPIC,
                "_criteria": {
                    "extension": [
                        {"url": f"{BACKPORT}/backport-filter-criteria", "valueString": criteria}
                    ]
                },
            }
            channel |= {
                "payload": "application/fhir+json",
                "_payload": {
                    "extension": [
                        {"url": f"{BACKPORT}/backport-payload-content", "valueCode": "id-only"}
                    ]
                },
            }
        if offers.quirks.signature == "medplum":
            resource["extension"] = [{"url": MEDPLUM, "valueString": self.token}]
        response = await self._context.http.post(
            "Subscription", content=orjson.dumps(resource), headers=FHIR_JSON, route="/Subscription"
        )
        self._context.log.info("subscription.made")
        return place_put(response, "Subscription", self._config.base_url)

    # -- hearing ------------------------------------------------------------------------------

    async def notified(self, said: Notification) -> None:
        """Do what a notification asks for; everything is durable when this returns."""
        if said.kind == "handshake":
            await self._seen(said.subscription, said.count or 0)
            return
        last = await self._last(said.subscription)
        missed = said.broken or self._gap(said, last)
        if missed:
            self._context.log.warning("subscription.gap", last=last, count=said.count)
            await self._catch_up(said.subscription, last)
        if said.kind != "heartbeat":
            if said.focus:
                await self.changed(list(said.focus))
            elif not missed:
                await self.resync()
        await self._seen(said.subscription, said.count if said.count is not None else last)

    def _gap(self, said: Notification, last: int) -> bool:
        if said.first is not None:
            return said.first > last + 1
        return said.kind == "heartbeat" and said.count is not None and said.count > last

    async def changed(self, places: list[str]) -> None:
        """These changed on the server: read, and handed over."""
        others = [each for each in places if not each.startswith("Task/")]
        for place in places:
            if place not in others:
                for message in await self._read(place):
                    await self._context.receive(message)
        if others:
            await self.resync()

    async def resync(self) -> None:
        """Everything since the last look by this road; what polls took already is known again."""
        kept = await self._context.state.get("resync")
        async for message, cursor in self._poll(kept.decode() if kept else None):
            await self._context.receive(message)
            await self._context.state.put("resync", cursor.encode())

    async def _catch_up(self, subscription: str, last: int) -> None:
        """The missed events by their numbers; a search where the server keeps none."""
        if subscription:
            try:
                response = await self._context.http.get(
                    f"{subscription}/$events",
                    params={"eventsSinceNumber": str(last + 1)},
                    headers=FHIR_JSON,
                    route="/Subscription/{id}/$events",
                )
                found = notification_of(resource_of(response, "Bundle"), self._config.base_url)
                if found is not None and found.focus:
                    await self.changed(list(found.focus))
                    return
            except (DataError, GoneError) as error:
                self._context.log.info("subscription.no-events", code=error.code)
        await self.resync()

    async def _last(self, subscription: str) -> int:
        kept = await self._context.state.get(f"events|{subscription}")
        return int(kept) if kept else 0

    async def _seen(self, subscription: str, count: int) -> None:
        if count >= await self._last(subscription):
            await self._context.state.put(f"events|{subscription}", str(count).encode())
