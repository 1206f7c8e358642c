"""For machines that watch the service: does it live, is it ready, what are its numbers."""

from __future__ import annotations

import asyncio
import hmac
import time
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from adapter.exchange.config import is_loopback
from adapter.exchange.service import Service
from adapter.plugin.errors import AdapterError
from adapter.store.transaction import Transaction

_log = structlog.get_logger("health")

PROOF_SECONDS = 1.0
ROOM_SECONDS = 15.0
PATIENCE = 3.0
TEXT = "text/plain; version=0.0.4; charset=utf-8"


def health_routes() -> list[BaseRoute]:
    """Their addresses; ``/health`` and ``/ready`` are short for the two."""
    ready = Ready()
    return [
        Route("/health", live),
        Route("/health/live", live),
        Route("/ready", ready),
        Route("/health/ready", ready),
        Route("/metrics", metrics),
    ]


def health_app(service: Service) -> Starlette:
    """They alone, for a process that serves nothing else."""
    app = Starlette(routes=health_routes())
    app.state.service = service
    return app


async def live(_: Request) -> Response:
    """The process runs, and its event loop turns."""
    return JSONResponse({"status": "live"})


class Ready:
    """200 while the store can be written, and its key is in the key file: then, and only then, is
    what is acknowledged safe.

    The proof is a real write, at most one a second however many ask. Whether there is room for a
    message is proven more seldom, for the log that a database archives grows with it; but each time
    while it is not ready.
    """

    def __init__(self) -> None:
        self._until = 0.0
        self._room_until = 0.0
        self._lock: asyncio.Lock | None = None
        self._code: str | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """As an ASGI application, so that one object serves every request."""
        service: Service = scope["app"].state.service
        self._lock = self._lock or asyncio.Lock()
        async with self._lock:
            now = time.monotonic()
            if now >= self._until:
                before = self._code
                room = before is not None or now >= self._room_until
                self._code = await _fault(service, room)
                if self._code not in (None, before):
                    _log.error("service.not-ready", code=self._code)
                self._until = time.monotonic() + PROOF_SECONDS
                if room:
                    self._room_until = now + ROOM_SECONDS
        await _readiness(self._code)(scope, receive, send)


def _readiness(code: str | None) -> Response:
    if code is None:
        return JSONResponse({"status": "ready"})
    return JSONResponse({"status": "unavailable", "code": code}, 503, {"Retry-After": "5"})


async def _fault(service: Service, room: bool) -> str | None:
    """Why nothing should be sent here now; None if all is well."""

    def work(tx: Transaction) -> None:
        tx.session.prove_key_is_kept()
        tx.session.leave_sign_of_life(as_large_as_a_message=room)

    try:
        async with asyncio.timeout(PATIENCE):
            await service.store.write(work)
    except AdapterError as error:
        return error.code
    except TimeoutError:
        return "store.slow"
    return None


async def metrics(request: Request) -> Response:
    """The numbers for Prometheus; for this machine, or with the token of the configuration."""
    service: Service = request.app.state.service
    if not _may_read(request, service):
        return Response("This is for the machine itself, or with a token.\n", 403)
    text = await asyncio.to_thread(service.metrics.text)
    return Response(text, headers={"Content-Type": TEXT})


def _may_read(request: Request, service: Service) -> bool:
    reference = service.config.server.metrics_token
    if reference is not None:
        given = request.headers.get("authorization", "")
        token = service.config.secret(reference, "server.metrics_token")
        wanted = f"Bearer {token}"
        return hmac.compare_digest(given.encode(), wanted.encode())
    # Behind a proxy everybody comes from this machine; the proxy says so, and then a token is due.
    forwarded = {"x-forwarded-for", "forwarded", "x-real-ip"} & set(request.headers)
    return request.client is not None and is_loopback(request.client.host) and not forwarded
