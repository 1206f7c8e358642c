"""The HTTP server of a command: it listens before anything starts, and ends when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

GRACE = 8.0
"""Seconds for everything that is in flight when a command is stopped."""


def bind(host: str, port: int, *, named: str) -> socket.socket:
    """A listening socket; port 0 takes any free one. `named` is how the address was given.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    from adapter.plugin.errors import ConfigError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigError(
            "config.cannot-listen",
            f"{named} {host} port {port} cannot be listened on: {error.strerror}",
            fix="Choose another port (0 takes any free one), or end what uses it.",
        ) from error
    return listening


def address(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@asynccontextmanager
async def serving(app: Any, listening: socket.socket) -> AsyncIterator[None]:
    """Serve an ASGI application until the block ends."""
    import uvicorn

    class Server(uvicorn.Server):
        """uvicorn without its own signal handling: the service stops in its own order."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    server = Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # longer than clients and proxies keep theirs, so that none is closed while they ask
            timeout_keep_alive=75,
            timeout_graceful_shutdown=int(GRACE / 2),
        )
    )
    http = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await http
