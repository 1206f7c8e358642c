"""`adapter serve`: the service until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer

from adapter.cli.printing import JsonOption, emit, say
from adapter.cli.settings import DEFAULT, ConfigOption, read

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.exchange.service import Service

GRACE = 8.0


def serve(
    config: ConfigOption = DEFAULT,
    as_json: JsonOption = False,
    log_level: Annotated[
        str,
        typer.Option(metavar="LEVEL", help="What to log to stderr: DEBUG, INFO, WARNING or ERROR."),
    ] = "INFO",
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="Do not start when an enabled plugin failed or a site's settings are wrong.",
        ),
    ] = False,
) -> None:
    """Run listeners, the FHIR API, secure-link pages and delivery, until SIGTERM or Ctrl-C.

    When everything is ready, one line is printed; with --json it is a JSON object with the
    addresses. On SIGTERM nothing more is taken, what is in flight is finished, and what is queued
    stays queued for the next start. A plugin that fails costs its own sites alone, unless --strict
    is given: then the service ends with exit code 3. On SIGHUP, and when a file of a folder of
    [mappings] changes, mapping tables are read again; faulty ones are refused, and the last good
    ones stay.

    Example:

      adapter serve --config adapter.toml
    """
    from adapter.cli.logs import chosen_level, configure

    configure(json=as_json, level=chosen_level(log_level))
    asyncio.run(run(read(config), as_json=as_json, strict=strict))


async def run(config: Config, *, as_json: bool, strict: bool = False) -> None:
    """Start, say that it is ready, wait for the signal, stop."""
    import structlog
    import uvicorn

    from adapter.api.app import build_app
    from adapter.exchange.service import Service
    from adapter.exchange.store_settings import store_url
    from adapter.portal.pages import Pages
    from adapter.store import migrations
    from adapter.store.dialect import dialect_of

    class Server(uvicorn.Server):
        """uvicorn without its own signal handling: the service stops in its own order."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    stop = stop_on_signals()
    listening = bind(config)
    try:
        absent = migrations.standing(dialect_of(store_url(config))) is None
        service = Service.open(config, pages=Pages())
        if absent:  # as it should be at the first start; else the address of the store is wrong
            log = structlog.get_logger("store")
            log.warning("store.made", store=without_password(store_url(config)))
        service.bound(address(listening))
        server = Server(
            uvicorn.Config(
                build_app(service),
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
            await service.start()
            if strict:
                service.hold_strictly()
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, service.table_watch.ask)
            if not stop.is_set():
                announce(ready(service, config), as_json=as_json)
            await stop.wait()
        finally:
            server.should_exit = True
            await http
            await service.stop(GRACE / 2)
    finally:
        listening.close()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and Ctrl-C set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def bind(config: Config) -> socket.socket:
    """The listening socket of the HTTP server; port 0 takes any free one.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    from adapter.plugin.errors import ConfigError

    host, port = config.server.host, config.server.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        raise ConfigError(
            "config.cannot-listen",
            f"[server] {host} port {port} cannot be listened on: {error.strerror}",
            fix="Choose another port (0 takes any free one), or end what uses it.",
        ) from error
    return listening


def address(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def ready(service: Service, config: Config) -> dict[str, Any]:
    """The facts of the ready line."""
    from adapter.exchange.store_settings import store_url

    base = service.base_url()
    return {
        "event": "ready",
        "fhir": f"{base}/fhir",
        "portal": None,
        "listeners": dict(service.fleet.addresses),
        "store": without_password(store_url(config)),
        "pid": os.getpid(),
    }


def announce(facts: dict[str, Any], *, as_json: bool) -> None:
    """The ready line: JSON on stdout, or the same in words on stderr."""
    if as_json:
        emit(facts)
        return
    listeners = ", ".join(f"{site} {where}" for site, where in facts["listeners"].items())
    typer.echo(f"Ready. FHIR API {facts['fhir']}; listeners: {listeners or 'none'}")
    say(f"Store {facts['store']}; stop with Ctrl-C.")


def without_password(url: str) -> str:
    """A store's URL as it may be shown."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}@{host}"))
