"""Subscriptions of the fake FHIR server: rest-hook, as R4 has it or as its backport 1.1 has it.

A Subscription that is created is answered with status active. `pending` holds what is to be sent;
`send_all` sends it. With R4 channels a notice is an empty POST, or a PUT of the resource where the
channel names a payload. With the backport it is a Bundle of type history whose first entry is the
status: handshake, event-notification (id-only) or heartbeat, with the number of the event.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson

from adapter_conformance.fakes.fhir_asking import Json
from adapter_conformance.fakes.fhir_search import PARAMETERS, matches

if TYPE_CHECKING:
    from adapter_conformance.fakes.fhir_server import FhirServer

STATUS = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
    "backport-subscription-status-r4"
)
FILTER = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-filter-criteria"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification to be sent."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


class Notices:
    """The subscriptions of one server.

    Attributes:
        pending: what is to be sent, in order.
        secret: what the HMAC of notifications is made with, where the maker signs them.
    """

    def __init__(self, server: FhirServer, *, secret: bytes = b"synthetic") -> None:
        self._server = server
        self._events: dict[str, int] = {}
        self.pending: list[Notice] = []
        self.secret = secret
        server.written.append(self._on_write)

    async def send_all(self, send: Callable[[Notice], Awaitable[Any]]) -> None:
        """Send what is pending, in order."""
        while self.pending:
            await send(self.pending.pop(0))

    async def send_over_http(self) -> None:
        """Send what is pending to where it goes; who does not answer is not asked again."""
        import httpx

        async def send(notice: Notice) -> None:
            with contextlib.suppress(httpx.HTTPError):
                await client.request(
                    notice.method, notice.url, headers=notice.headers, content=notice.body
                )

        if self.pending:
            plain = httpx.AsyncHTTPTransport(verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
            async with httpx.AsyncClient(timeout=5, transport=plain) as client:
                await self.send_all(send)

    def heartbeat(self) -> None:
        """Tell every subscriber of the backport that we are there."""
        for subscription in self._active():
            self._status(subscription, "heartbeat", None)

    def lose(self, count: int = 1) -> None:
        """Lose what is pending: the numbers of the events go on, the notices never come."""
        del self.pending[:count]

    def _on_write(self, resource: Json) -> None:
        if resource["resourceType"] == "Subscription":
            if resource.get("status") == "requested":
                self._start(resource)
            return
        for subscription in self._active():
            if self._concerns(subscription, resource):
                self._tell(subscription, resource)

    def _start(self, subscription: Json) -> None:
        self._server.put({**subscription, "status": "active"})
        if self._server.ways.subscriptions == "backport":
            self._status(subscription, "handshake", None)

    def _active(self) -> list[Json]:
        here = self._server.store.all("Subscription")
        return [
            each
            for each in here
            if each.get("status") == "active" and each.get("channel", {}).get("endpoint")
        ]

    def _concerns(self, subscription: Json, resource: Json) -> bool:
        criteria = subscription.get("criteria", "")
        if self._server.ways.subscriptions == "backport":
            extensions = subscription.get("_criteria", {}).get("extension", [])
            filters = [each.get("valueString", "") for each in extensions if each["url"] == FILTER]
            told = filters or ["Task?"]
        else:
            told = [criteria]
        return any(self._is(each, resource) for each in told)

    def _is(self, criteria: str, resource: Json) -> bool:
        kind, _, query = criteria.partition("?")
        asked = [pair for pair in parse_qsl(query) if pair[0].partition(":")[0] in PARAMETERS]
        return kind == resource["resourceType"] and matches(resource, asked, self._server.base)

    def _tell(self, subscription: Json, resource: Json) -> None:
        if self._server.ways.subscriptions == "backport":
            identity = subscription["id"]
            self._events[identity] = self._events.get(identity, 0) + 1
            self._status(subscription, "event-notification", resource)
            return
        channel = subscription["channel"]
        if not channel.get("payload"):
            self._send(subscription, "POST", channel["endpoint"], b"")
            return
        address = f"{channel['endpoint']}/{resource['resourceType']}/{resource['id']}"
        method, address = ("POST", channel["endpoint"]) if self._signs else ("PUT", address)
        self._send(subscription, method, address, orjson.dumps(resource))

    @property
    def _signs(self) -> bool:
        return bool(self._server.ways.signature)

    def _status(self, subscription: Json, kind: str, resource: Json | None) -> None:
        """A notification Bundle of the backport, with ids only."""
        identity = subscription["id"]
        number = self._events.get(identity, 0)
        base = self._server.base
        said: list[Json] = [
            {
                "name": "subscription",
                "valueReference": {"reference": f"{base}/Subscription/{identity}"},
            },
            {"name": "topic", "valueCanonical": subscription.get("criteria", "")},
            {"name": "status", "valueCode": "active"},
            {"name": "type", "valueCode": kind},
            {"name": "events-since-subscription-start", "valueString": str(number)},
        ]
        entries: list[Json] = []
        if resource is not None:
            url = f"{base}/{resource['resourceType']}/{resource['id']}"
            event = [
                {"name": "event-number", "valueString": str(number)},
                {"name": "timestamp", "valueInstant": resource["meta"]["lastUpdated"]},
                {"name": "focus", "valueReference": {"reference": url}},
            ]
            said.append({"name": "notification-event", "part": event})
            entries.append({"fullUrl": url, "request": {"method": "PUT", "url": url}})
        status: Json = {
            "resourceType": "Parameters",
            "meta": {"profile": [STATUS]},
            "parameter": said,
        }
        asked = {"method": "GET", "url": f"{base}/Subscription/{identity}/$status"}
        bundle = {
            "resourceType": "Bundle",
            "type": "history",
            "timestamp": self._server.now().isoformat(timespec="milliseconds"),
            "entry": [
                {"resource": status, "request": asked, "response": {"status": "200"}},
                *entries,
            ],
        }
        self._send(subscription, "POST", subscription["channel"]["endpoint"], orjson.dumps(bundle))

    def _send(self, subscription: Json, method: str, url: str, body: bytes) -> None:
        headers = {"Content-Type": "application/fhir+json"} if body else {}
        for line in subscription["channel"].get("header", []):
            name, _, value = line.partition(":")
            headers[name.strip()] = value.strip()
        if self._signs:
            signature = hmac.new(self.secret, body, hashlib.sha256).hexdigest()
            headers[self._server.ways.signature] = signature
        self.pending.append(Notice(method=method, url=url, headers=headers, body=body))
