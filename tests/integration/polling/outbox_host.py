"""A real peer of the reference plugin on loopback: keeps messages to be fetched, takes ours.

What it keeps is given in pages of the size that is asked for; the cursor of a message is its place.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


def referral(number: int) -> dict[str, Any]:
    """A synthetic request in the reference plugin's own words."""
    return {
        "type": "request",
        "id": f"m-{number}",
        "sent": "2026-01-15T10:00:00-05:00",
        "test": True,
        "number": f"R-{number}",
        "wanted": "Lonely since the move.",
        "priority": "routine",
        "client": {"number": f"S-{number}", "family": "Synthetic", "given": "Test"},
        "work": f"w-{number}",
        "status": "asked",
    }


@dataclass(slots=True)
class OutboxHost:
    """The peer.

    Attributes:
        kept: messages to be fetched, in order.
        failing: status codes of the next requests for news, one each.
        slow: seconds that a page takes.
        base: its own address, for the links that it builds.
        asked: the `after` of every request for news that was answered.
        authorizations: the Authorization header of every request for news.
        now, most: how many requests for news run now, and the most that ever did.
        taken: what was delivered to it, by idempotency key.
    """

    kept: list[Any] = field(default_factory=list)
    failing: list[int] = field(default_factory=list)
    slow: float = 0.0
    base: str = ""
    asked: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    now: int = 0
    most: int = 0
    taken: dict[str, bytes] = field(default_factory=dict)

    @property
    def app(self) -> Starlette:
        """Its API."""
        return Starlette(
            routes=[
                Route("/status", self._status),
                Route("/outbox", self._outbox),
                Route("/messages", self._messages, methods=["GET", "POST"]),
            ]
        )

    async def _status(self, request: Request) -> Response:
        return _said({})

    async def _outbox(self, request: Request) -> Response:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            if self.slow:
                await asyncio.sleep(self.slow)
            return self._page(request)
        finally:
            self.now -= 1

    def _page(self, request: Request) -> Response:
        self.authorizations.append(request.headers.get("Authorization", ""))
        if self.failing:
            return _said({"error": "no"}, self.failing.pop(0))
        after = int(request.query_params.get("after") or 0)
        limit = int(request.query_params["limit"])
        self.asked.append(str(after))
        items = [
            {"cursor": str(place), "message": message}
            for place, message in enumerate(self.kept, 1)
            if after < place <= after + limit
        ]
        following = None
        if after + limit < len(self.kept):
            following = f"{self.base}/outbox?after={after + limit}&limit={limit}"
        return _said({"items": items, "next": following})

    async def _messages(self, request: Request) -> Response:
        if request.method == "GET":
            key = request.query_params["key"]
            return _said({"items": [{"id": f"peer-{key}"}] if key in self.taken else []})
        key = request.headers["Idempotency-Key"]
        self.taken[key] = await request.body()
        return _said({"id": f"peer-{key}"}, 201)


def _said(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status, media_type="application/json")
