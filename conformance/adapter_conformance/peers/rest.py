"""A peer with a JSON API, in process: a road for the site's HTTP client instead of sockets.

Whatever path: POST and PUT take a message (known again by its Idempotency-Key); GET with ``key``
says what was taken under it; GET with ``after`` gives what is kept for us, or the programs that
there are, two at a time; other GET requests are answered with an empty object.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import httpx
import orjson

from adapter_conformance.exchanges import hear_http
from adapter_conformance.peers import FaultName
from adapter_conformance.peers.nobody import NobodyPeer
from adapter_conformance.planted import PEER_TEXT, SECRET

HOST = "http://127.0.0.1:8099"
PAGE = 2
_STATUS: dict[FaultName, int] = {
    "unavailable": 503,
    "rate-limited": 429,
    "unauthorized": 401,
    "refused": 422,
    "gone": 410,
}


class RestPeer(NobodyPeer, httpx.AsyncBaseTransport):
    """The API. Every fault's text holds what must not be repeated."""

    faults = frozenset(
        {
            "unavailable",
            "rate-limited",
            "unauthorized",
            "refused",
            "gone",
            "lost-answer",
            "nonsense",
            "down",
        }
    )

    def __init__(self) -> None:
        super().__init__()
        self.values = {
            "base_url": HOST,
            "host": "127.0.0.1",
            "port": "8099",
            "secret": SECRET,
            "signing_key": _signing_key(),
            "certificate": "planted certificate",
            "certificate_key": SECRET,
        }
        self.road = self
        self.kept: list[bytes] = []
        self.listed: list[bytes] = []
        self.asked: list[httpx.Request] = []

    async def offer(self, messages: Sequence[bytes]) -> None:
        """Keep these."""
        self.kept += messages

    async def offer_programs(self, programs: Sequence[bytes]) -> None:
        """Have these."""
        self.listed = list(programs)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, and keep the exchange for the report."""
        try:
            answer = await self._met(request)
        except httpx.TransportError:
            hear_http(request, None)
            raise
        hear_http(request, answer)
        return answer

    async def _met(self, request: httpx.Request) -> httpx.Response:
        self.addresses.append(str(request.url))
        self.asked.append(request)
        body = await request.aread()
        if request.url.path.endswith("/token"):
            return _said(200, {"access_token": SECRET, "token_type": "bearer", "expires_in": 3600})
        if self.fault == "down":
            raise httpx.ConnectError("refused", request=request)
        if self.fault in _STATUS:
            headers = {"Retry-After": "3600"} if self.fault == "rate-limited" else {}
            return _said(_STATUS[self.fault], {"error": PEER_TEXT}, headers)
        if self.fault == "nonsense":
            page = f"<!DOCTYPE html><title>Log in</title>{PEER_TEXT}".encode()
            return httpx.Response(200, content=page, headers={"Content-Type": "text/html"})
        answer = self._answer(request, body)
        if self.fault == "lost-answer":
            raise httpx.ReadTimeout("lost", request=request)
        return answer

    def _answer(self, request: httpx.Request, body: bytes) -> httpx.Response:
        if request.method in ("POST", "PUT"):
            key = request.headers.get("Idempotency-Key", f"unkeyed-{len(self.asked)}")
            known = key in self.taken
            self.take(key, body)
            return _said(200 if known else 201, {"id": self._id(key)})
        params = request.url.params
        if "key" in params:
            key = params["key"]
            return _said(200, {"items": [{"id": self._id(key)}] if key in self.taken else []})
        if "after" in params:
            return self._page(request, int(params["after"] or 0))
        return _said(200, {})

    def _page(self, request: httpx.Request, after: int) -> httpx.Response:
        what, everything = ("program", self.listed) if self.listed else ("message", self.kept)
        items = [
            {"cursor": str(number), what: orjson.Fragment(raw)}
            for number, raw in enumerate(everything, 1)
            if after < number <= after + PAGE
        ]
        following = None
        if after + PAGE < len(everything):
            following = str(request.url.copy_set_param("after", str(after + PAGE)))
        return _said(200, {"items": items, "next": following})

    def _id(self, key: str) -> str:
        return f"peer-{list(self.taken).index(key) + 1}"


@cache
def _signing_key() -> str:
    """A key of this process (P-384), for schemes that sign."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    made = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made.decode()


def _said(status: int, value: object, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.Response(
        status,
        content=orjson.dumps(value),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
