"""From where a request comes: known where it enters, and needed where it is audited.

A context variable carries it, also into the store's writer thread: every work runs in the context
of who asked for it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NamedTuple

from adapter.plugin.system import ASGIApp

_LONGEST = 64


class Whence(NamedTuple):
    """The address of the peer, and the id that it gave its request (X-Request-Id)."""

    address: str
    request: str | None


WHENCE: ContextVar[Whence | None] = ContextVar("whence", default=None)


class Located:
    """ASGI middleware: every request below it knows from where it came."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        client = scope.get("client")
        if client is None:
            await self._app(scope, receive, send)
            return
        token = WHENCE.set(Whence(str(client[0]), _request_id(scope)))
        try:
            await self._app(scope, receive, send)
        finally:
            WHENCE.reset(token)


def _request_id(scope: Any) -> str | None:
    """The X-Request-Id, if it is one that may be kept: short, and letters, digits and dashes."""
    for name, value in scope.get("headers", ()):
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            plain = text.replace("-", "").replace("_", "")
            return text if len(text) <= _LONGEST and plain.isalnum() and plain.isascii() else None
    return None
