"""`adapter doctor`: everything that can be looked at before and beside a running service."""

from __future__ import annotations

import asyncio
import platform
import shlex
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.findings import report
from adapter.cli.printing import JsonOption
from adapter.cli.settings import DEFAULT, ConfigOption, read
from adapter.plugin.errors import AdapterError
from adapter.plugin.messages import Check

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.store.store import Store

WARN_FREE = 2 << 30
FAIL_FREE = 200 << 20
SKEW = timedelta(seconds=5)
_SHARED_BITS = stat.S_IRWXG | stat.S_IRWXO

Findings = Iterator[Check]


def doctor(
    config: ConfigOption = DEFAULT,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not try to reach the sites' peers.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look at everything: configuration, plugins, tables, store, keys, disk, clock, ports, sites.

    Changes nothing, and may run beside the service. Each finding says what to do. Exits with 1 if
    one of them is a failure.

    Example:

      adapter doctor --config adapter.toml
    """
    report(list(findings(config, offline=offline)), as_json=as_json)


def findings(file: Path, *, offline: bool) -> Findings:
    """Every finding, in the order in which a start needs them."""
    yield _versions()
    try:
        config = read(file)
    except AdapterError as error:
        yield _failed("configuration", error)
        return
    sites = len(config.sites)
    state, fix = ("ok", "") if sites else ("warn", "Add a [sites.NAME] table to adapter.toml.")
    yield Check(name="configuration", state=state, detail=_counted(sites, "site"), fix=fix)  # type: ignore[arg-type]
    for name, look in (
        ("plugins", _plugins),
        ("tables", _tables),
        ("programs", _programs),
        ("keys", _keys),
        ("store", _store),
        ("disk", _disk),
        ("ports", _ports),
    ):
        yield from _guarded(name, look, config)
    if not offline and config.sites:
        yield from _guarded("sites", _sites, config)


def _guarded(name: str, look: Callable[[Config], Findings], config: Config) -> Findings:
    try:
        yield from look(config)
    except AdapterError as error:
        yield _failed(name, error)


def _failed(name: str, error: AdapterError) -> Check:
    return Check(name=name, state="fail", detail=f"{error.message} ({error.code})", fix=error.fix)


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _versions() -> Check:
    import sqlite3

    found = {
        "adapter": metadata.version("social-prescribing-adapter"),
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
    }
    detail = ", ".join(f"{name} {version}" for name, version in found.items())
    return Check(name="versions", state="ok", detail=detail)


def _plugins(config: Config) -> Findings:
    from adapter.exchange.plugins import load_plugins

    loaded = load_plugins(config.plugins.enabled)
    for each in loaded.loaded:
        if each.state == "enabled":
            detail = f"{each.distribution} {each.version}"
            yield Check(name=f"plugin {each.name}", state="ok", detail=detail)
        elif each.state == "failed":
            yield Check(name=f"plugin {each.name}", state="fail", detail=each.reason, fix=each.fix)
    for site, table in config.sites.items():
        try:
            loaded.system(table.system)
        except AdapterError as error:
            yield _failed(f"plugin of {site}", error)


def _tables(config: Config) -> Findings:
    from adapter.exchange.packs import formats_of, packs_of
    from adapter.exchange.plugins import load_plugins

    plugins = load_plugins(config.plugins.enabled)
    packs_of(config, plugins, formats_of(plugins))
    yield Check(name="tables", state="ok", detail="every mapping table is sound")


def _programs(config: Config) -> Findings:
    from adapter.exchange.directory import load_programs

    yield from _directories(config)
    if not config.routing.programs:
        return
    programs = load_programs(config.path(config.routing.programs))
    lost = sorted({p.site for p in programs if p.site and p.site not in config.sites})
    if lost:
        yield Check(
            name="programs",
            state="fail",
            detail=f"programs name sites that are not configured: {', '.join(lost)}",
            fix=f"Correct {config.routing.programs}, or add these sites to {config.file}.",
        )
    else:
        yield Check(name="programs", state="ok", detail=_counted(len(programs), "program"))


def _directories(config: Config) -> Findings:
    """Each site that is a directory: whether its list is fresh, or why it could not be read."""
    from adapter.cli.programs import standing

    names = [name for name, s in config.sites.items() if s.directory or s.role == "directory"]
    if not names:
        return
    for name in names:
        yield standing(config, name)


def _keys(config: Config) -> Findings:
    from adapter.exchange.store_settings import store_keyring

    keyring = store_keyring(config)
    detail = f"{_counted(len(keyring.ids), 'key')}, active {keyring.active}"
    if config.store.key.startswith("file:"):
        file = config.folder / config.store.key.partition(":")[2]
        if file.stat().st_mode & _SHARED_BITS:
            yield Check(
                name="keys",
                state="warn",
                detail="others than the owner may read the key file",
                fix=f"chmod 600 {shlex.quote(str(file))}",
            )
            return
    yield Check(name="keys", state="ok", detail=detail)


def _store(config: Config) -> Findings:
    from adapter.cli.reading import opened
    from adapter.exchange.store_settings import store_url
    from adapter.store import migrations
    from adapter.store.check import check
    from adapter.store.dialect import dialect_of
    from adapter.store.schema import HEAD

    stands = migrations.standing(dialect_of(store_url(config)))
    if stands not in (None, HEAD):
        yield Check(
            name="store version",
            state="warn",
            detail=f"the tables stand at {stands}, this version wants {HEAD}",
            fix="Make a backup with the version that the store is of, then run: adapter db upgrade",
        )
        return
    with opened(config) as store:
        for each in check(store):
            yield Check(
                name=f"store {each.name}", state=each.state, detail=each.detail, fix=each.fix
            )
        store.write_now(lambda tx: tx.session.leave_sign_of_life())
        yield Check(name="store writes", state="ok", detail="a message could be kept")
        yield _clock(store)


def _clock(store: Store) -> Check:
    """The newest line of the journal must not lie in the future: then the clock went back."""
    newest = store.read_now(lambda tx: tx.journal.newest())
    now = datetime.now(UTC)
    if newest is not None and newest > now + SKEW:
        return Check(
            name="clock",
            state="fail",
            detail=f"the clock is {newest - now} behind the newest line of the journal",
            fix="Set the clock, and let NTP keep it: timedatectl set-ntp true",
        )
    return Check(name="clock", state="ok", detail=now.isoformat(timespec="seconds"))


def _disk(config: Config) -> Findings:
    from adapter.exchange.store_settings import store_url

    if not store_url(config).startswith("sqlite"):
        return
    free = shutil.disk_usage(config.folder).free
    detail = f"{free >> 20} MB free"
    if free >= WARN_FREE:
        yield Check(name="disk", state="ok", detail=detail)
        return
    yield Check(
        name="disk",
        state="fail" if free < FAIL_FREE else "warn",
        detail=detail,
        fix="Free some space: when the disk is full, messages are refused until there is space.",
    )


def _ports(config: Config) -> Findings:
    """Whether each port that is configured can be listened on, or is in use already."""
    wanted = [("server", config.server.host, config.server.port)]
    for name, site in config.sites.items():
        host, port = site.settings.get("host"), site.settings.get("port")
        if isinstance(host, str) and isinstance(port, int):
            wanted.append((name, host, port))
    for name, host, port in wanted:
        if port == 0:
            yield Check(name=f"port of {name}", state="ok", detail=f"{host}, any free port")
            continue
        yield _port(name, host, port)


def _port(name: str, host: str, port: int) -> Check:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return Check(
                name=f"port of {name}",
                state="warn",
                detail=f"{host} port {port}: {error.strerror}",
                fix="If the service runs, this is as it should be; else end what uses the port, "
                "or choose another.",
            )
    return Check(name=f"port of {name}", state="ok", detail=f"{host} port {port} is free")


def _sites(config: Config) -> Findings:
    from adapter.cli.sites import check_all

    for row in asyncio.run(check_all(config)):
        name = f"site {row['site']}: {row['name']}"
        yield Check(name=name, state=row["state"], detail=row["detail"], fix=row["fix"])
