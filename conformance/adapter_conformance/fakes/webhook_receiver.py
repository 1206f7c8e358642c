"""A fake receiver of webhooks: it remembers what came, and answers as it is told.

``receiver.fail_next(503, 410)`` makes the next requests fail, one each; `wait_for` waits until so
many came. A Standard Webhooks signature, the HMAC of a maker, or a token is not checked here: what
came is in `received`, headers and all, and the test judges it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

LOOK = 0.02
"""Seconds between looks while waiting: it may run in another thread than who waits."""


@dataclass(frozen=True, slots=True)
class Received:
    """One webhook as it came. Header names are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class WebhookReceiver:
    """The receiver.

    Attributes:
        received: everything that came, in order; also what was answered with a fault.
        content_type: of its answers. (HAPI FHIR sends again what is not answered as FHIR.)
    """

    def __init__(self, *, content_type: str = "application/fhir+json") -> None:
        self.received: list[Received] = []
        self.content_type = content_type
        self._statuses: list[int] = []
        self._lock = threading.Lock()

    def fail_next(self, *statuses: int) -> None:
        """Answer the next ones with these."""
        self._statuses += statuses

    @property
    def app(self) -> Starlette:
        """Every path, every method that hooks use."""
        return Starlette(routes=[Route("/{path:path}", self._take, methods=["POST", "PUT"])])

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        with self._lock:
            headers = {name.lower(): value for name, value in request.headers.items()}
            self.received.append(Received(request.method, request.url.path, headers, body))
            status = self._statuses.pop(0) if self._statuses else 200
        headers = {"Retry-After": "1"} if status in (429, 503) else {}
        return Response(status_code=status, headers=headers, media_type=self.content_type)

    async def wait_for(self, count: int, seconds: float = 5.0) -> list[Received]:
        """Wait until so many came.

        Raises:
            TimeoutError: they did not.
        """
        for _ in range(int(seconds / LOOK)):
            if len(self.received) >= count:
                return list(self.received)
            await asyncio.sleep(LOOK)
        raise TimeoutError(f"{len(self.received)} of {count} webhooks came")
