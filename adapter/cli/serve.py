"""`adapter serve`: the service until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import typer

from adapter.cli.printing import JsonOption, emit, say
from adapter.cli.settings import DEFAULT, ConfigOption, read
from adapter.cli.web import GRACE, address, bind, serving

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.exchange.service import Service


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

    from adapter.api.app import build_app
    from adapter.exchange.service import Service
    from adapter.exchange.store_settings import store_url
    from adapter.portal.pages import Pages
    from adapter.store import migrations
    from adapter.store.dialect import dialect_of

    stop = stop_on_signals()
    listening = bind(config.server.host, config.server.port, named="[server]")
    try:
        absent = migrations.standing(dialect_of(store_url(config))) is None
        service = Service.open(config, pages=Pages())
        if absent:  # as it should be at the first start; else the address of the store is wrong
            log = structlog.get_logger("store")
            log.warning("store.made", store=without_password(store_url(config)))
        service.bound(address(listening))
        try:
            async with serving(build_app(service), listening):
                await service.start()
                if strict:
                    service.hold_strictly()
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(signal.SIGHUP, service.table_watch.ask)
                if not stop.is_set():
                    announce(ready(service, config), as_json=as_json)
                await stop.wait()
        finally:
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
