"""An ASGI application under uvicorn on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn


@asynccontextmanager
async def web_server(app: Any) -> AsyncIterator[int]:
    """Serve while the block runs; gives the port. Requests wait in the socket until it is up."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", ws="none"))
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield listening.getsockname()[1]
    finally:
        await asyncio.sleep(0.05)
        server.should_exit = True
        await serving
        listening.close()
