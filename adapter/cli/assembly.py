"""Putting a whole adapter together and running it: service, portal, FHIR API, HTTP server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from adapter.api.app import build_app
from adapter.exchange.config import Config
from adapter.exchange.service import Service
from adapter.plugin.errors import ConfigError
from adapter.portal.pages import Pages

STOP_SECONDS = 8.0


class _Server(uvicorn.Server):
    """uvicorn without signal handlers of its own: the service decides when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def run(
    config: Config, on_ready: Callable[[dict[str, Any]], None], stop: asyncio.Event | None = None
) -> None:
    """Run until SIGTERM, SIGINT or `stop`; `on_ready` gets the line that says where everything is.

    Raises:
        AdapterError: it could not start; nothing is left running.
    """
    stop = stop or asyncio.Event()
    _stop_on_signals(stop)
    sock = _bind(config)
    service = Service.open(config, pages=Pages())
    service.bound(_address(sock))
    server = _Server(
        uvicorn.Config(
            build_app(service),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[sock]), name="http")
    try:
        await _started(server, serving)
        await service.start()
        on_ready(_ready(service))
        await _first(asyncio.create_task(stop.wait()), serving)
    finally:
        server.should_exit = True
        await service.stop(STOP_SECONDS)
        await serving


def _ready(service: Service) -> dict[str, Any]:
    return {
        "event": "ready",
        "fhir": f"{service.base_url()}/fhir",
        "portal": None,
        "listeners": dict(service.fleet.addresses),
        "store": service.store.address,
        "pid": os.getpid(),
    }


def _bind(config: Config) -> socket.socket:
    host, port = config.server.host, config.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise ConfigError(
            "config.cannot-listen",
            f"[server] cannot listen on {host}:{port}: {error.strerror}",
            fix="Choose another port, or end what uses it; port = 0 takes any free one.",
        ) from error
    return sock


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _started(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    while not server.started:
        if serving.done():
            await serving
            raise ConfigError("config.cannot-listen", "the HTTP server did not start")
        await asyncio.sleep(0.01)


async def _first(*tasks: asyncio.Task[Any]) -> None:
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        if task.get_name() != "http":
            task.cancel()


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(name, stop.set)
