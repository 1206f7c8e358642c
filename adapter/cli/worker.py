"""`adapter worker`: one more process that delivers, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.printing import JsonOption, emit, say
from adapter.cli.settings import DEFAULT, ConfigOption, read
from adapter.cli.web import GRACE, address, bind, serving

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.exchange.service import Service


def worker(
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
    log_level: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="What to log to stderr: DEBUG, INFO, WARNING or ERROR."),
    ] = "INFO",
    watch_at: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Answer GET /health/live, /health/ready and /metrics there; port 0: any free one.",
        ),
    ] = None,
) -> None:
    """Deliver beside other processes that share one PostgreSQL store, until SIGTERM or Ctrl-C.

    Run as many as are needed, on any machine that reaches the database and the peers, with the same
    adapter.toml and key file. Each lane (referral and destination) is in the hands of one worker at
    a time; when a worker dies, the others take over what it was doing within ten seconds. `adapter
    serve` delivers too; it alone listens, works on what arrives, and serves pages.

    Examples:

      adapter worker --config adapter.toml

      adapter worker --config adapter.toml --watch-at 127.0.0.1:9102
    """
    from adapter.cli.logs import chosen_level, configure

    configure(json=as_json, level=chosen_level(log_level))
    watched = _host_and_port(watch_at) if watch_at else None
    asyncio.run(_run(read(config), watched, as_json=as_json))


def _host_and_port(given: str) -> tuple[str, int]:
    host, _, port = given.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65_535:
        raise typer.BadParameter("give HOST:PORT, such as 127.0.0.1:9102", param_hint="--watch-at")
    return host.strip("[]"), int(port)


async def _run(config: Config, watched: tuple[str, int] | None, *, as_json: bool) -> None:
    from adapter.cli.serve import stop_on_signals, without_password
    from adapter.exchange.service import Service
    from adapter.exchange.store_settings import store_url
    from adapter.portal.pages import Pages

    _prove_possible(config)
    stop = stop_on_signals()
    listening = bind(*watched, named="--watch-at") if watched else None
    service = Service.open(config, pages=Pages())
    service.bound(_address(config))
    try:
        async with _watched(service, listening):
            await service.start_delivering()
            facts = {
                "event": "ready",
                "store": without_password(store_url(config)),
                "sites": sorted(service.sites),
                "health": f"{address(listening)}/health" if listening else None,
                "pid": os.getpid(),
            }
            if as_json:
                emit(facts)
            else:
                say(f"Delivering from {facts['store']}; stop with Ctrl-C.")
            await stop.wait()
    finally:
        await service.stop(GRACE / 2)


@asynccontextmanager
async def _watched(service: Service, listening: socket.socket | None) -> AsyncIterator[None]:
    """Answer those who watch, if somebody does."""
    if listening is None:
        yield
        return
    from adapter.api.health import health_app

    with closing(listening):
        async with serving(health_app(service), listening):
            yield


def _prove_possible(config: Config) -> None:
    """A worker needs a store that processes can share, and must know the address of the pages.

    Raises:
        ConfigError: it has not.
    """
    from adapter.exchange.store_settings import store_url
    from adapter.plugin.errors import ConfigError
    from adapter.store.dialect import dialect_of

    if not dialect_of(store_url(config)).shared:
        raise ConfigError(
            "worker.needs-postgresql",
            "a SQLite store belongs to one process: `adapter serve` delivers by itself, and a"
            " second process beside it would gain nothing",
            fix="Run `adapter serve` alone, or move to PostgreSQL: docs/how-to/run-a-cluster.md",
        )
    if not config.server.base_url and config.server.port == 0:
        raise ConfigError(
            "worker.needs-address",
            "a worker writes links to the secure pages, and cannot know their address:"
            " [server] has neither base_url nor a fixed port",
            fix="Set [server] base_url to the address by which the outside reaches the pages.",
        )


def _address(config: Config) -> str:
    host = f"[{config.server.host}]" if ":" in config.server.host else config.server.host
    return f"http://{host}:{config.server.port}"
