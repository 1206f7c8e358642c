"""A fake on a real socket of this machine, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

START_SECONDS = 10.0


class _Server(uvicorn.Server):
    """uvicorn, without its signal handlers, and with a flag for when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def on_loopback(app: Any) -> Iterator[str]:
    """Serve an ASGI application; gives its base address, for example ``http://127.0.0.1:40123``."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        ws="none",
    )
    server = _Server(config)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve([listener])), name="fake", daemon=True
    )
    thread.start()
    try:
        if not server.listening.wait(START_SECONDS):
            raise RuntimeError("the fake did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listener.close()


@asynccontextmanager
async def beside(app: Any) -> AsyncIterator[str]:
    """The same for a test that runs an event loop: starting and stopping do not hold it up."""
    serving = on_loopback(app)
    address = await asyncio.to_thread(serving.__enter__)
    try:
        yield address
    finally:
        await asyncio.to_thread(serving.__exit__, None, None, None)
