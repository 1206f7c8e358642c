"""GET /.well-known/jwks.json: the public keys that our own requests to peers are signed with."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapter.exchange.published_keys import published_keys
from adapter.exchange.service import Service

MAX_AGE = 300


async def signing_keys(request: Request) -> Response:
    """A JWKS; needs no authorisation, and holds no private part. Read anew after five minutes."""
    state = request.app.state
    service: Service = state.service
    now = service.now().timestamp()
    until, found = getattr(state, "signing_keys", (0.0, None))
    if now >= until:
        found = await asyncio.to_thread(published_keys, service.fleet)
        state.signing_keys = (now + MAX_AGE, found)
    return JSONResponse(found, headers={"Cache-Control": f"public, max-age={MAX_AGE}"})
