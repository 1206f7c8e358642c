"""Plugins that misbehave beside a good one, in a real service: each is named, contained, explained.

The bad ones are distributions found by their entry points; the good one polls a real peer, whose
messages must all arrive, whatever the others do.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from adapter.api.app import build_app
from adapter.cli.logs import no_secrets
from adapter.cli.sites import check_all
from adapter.exchange import fleet as fleets
from adapter.exchange import plugin_code, queries, watch
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.security.keyring import Keyring
from adapter.store.transaction import Transaction
from adapter_conformance.fakes.serving import beside
from tests.integration.plugins.installed import AT_LOAD, RUNNING, install
from tests.integration.polling.outbox_host import OutboxHost, referral
from tests.integration.polling.stage import until

pytestmark = [pytest.mark.anyio, pytest.mark.network]
PLANTED = "PLANTED-1234"
CONFIG = """
organization = "Test community health"
[store]
url = "sqlite:///adapter.sqlite3"
key = "file:adapter.key"
[plugins]
enabled = {enabled}
memory_mib = 64
[sites.north]
system = "reference"
role = "requester"
organization = "Test clinic"
test = true
poll_seconds = 1
[sites.north.settings]
base_url = "{base}"
"""
BAD_SITE = """
[sites.{site}]
system = "{system}"
role = "performer"
organization = "Test agency"
test = true
poll_seconds = 1
[sites.{site}.settings]
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def host() -> OutboxHost:
    return OutboxHost(kept=[referral(n) for n in range(1, 6)])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where distributions are installed for one test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(site)
    return site


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "STRETCH_SECONDS", 2.0)
    monkeypatch.setattr(plugin_code, "LOAD_SECONDS", 1.0)
    monkeypatch.setattr(fleets, "OPEN_TIMEOUT", 2.0)


def configured(tmp_path: Path, base: str, names: list[str], sites: str) -> Path:
    (tmp_path / "adapter.key").write_text(Keyring.generate().to_text())
    file = tmp_path / "adapter.toml"
    enabled = str(["reference", *names]).replace("'", '"')
    file.write_text(CONFIG.format(enabled=enabled, base=base) + sites)
    return file


@asynccontextmanager
async def started(file: Path) -> AsyncIterator[Service]:
    service = Service.open(load_config(file), pages=Pages())
    await service.start()
    try:
        yield service
    finally:
        await service.stop(1.0)


def accepted(service: Service) -> int:
    rows = service.store.read_now(lambda tx: tx.inbox.list())
    return len([row for row in rows if row.site == "north" and row.processed])


async def test_every_plugin_that_is_broken_at_the_start_is_named_and_the_good_one_works(
    host: OutboxHost, folder: Path, tmp_path: Path
) -> None:
    for name, (source, _) in AT_LOAD.items():
        install(folder, name, source)
    sites = "".join(BAD_SITE.format(site=name, system=name) for name in AT_LOAD)
    async with beside(host.app) as host.base:
        file = configured(tmp_path, host.base, [*AT_LOAD, "absent"], sites)
        with structlog.testing.capture_logs() as events:
            service = Service.open(load_config(file), pages=Pages())
            await service.start()
        try:
            await until(lambda: accepted(service) == 5)
            states = service.store.read_now(lambda tx: {s.site: s for s in tx.sites.list()})
            with pytest.raises(Exception, match="the plugin"):
                service.hold_strictly()
        finally:
            await service.stop(1.0)

    failed = {each["plugin"]: each for each in events if each["event"] == "plugin.failed"}
    assert "absent" in failed
    assert failed.keys() == {p.name for p in service.plugins.loaded if p.state == "failed"}
    assert all(each["fix"] for each in failed.values())
    assert PLANTED not in str(events)
    assert states["north"].state == "ready"
    for name, (_, code) in AT_LOAD.items():
        (plugin,) = [each for each in service.plugins.loaded if each.name == name]
        assert states[name].code == code, name
        assert states[name].state == "failed", name
        assert states[name].fix, name
        assert states[name].error, name
        assert (plugin.distribution, plugin.version) == (f"bad-{name}", "1.0")
        assert PLANTED not in f"{plugin} {states[name]}"


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "adapter.cli", *words],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )


async def test_strict_ends_the_start_with_3_and_so_does_a_strict_check(
    folder: Path, tmp_path: Path
) -> None:
    install(folder, "misspelt", AT_LOAD["misspelt"][0])
    file = str(configured(tmp_path, "http://127.0.0.1:9", ["misspelt"], ""))
    served, checked = await asyncio.gather(
        asyncio.to_thread(run, folder, "serve", "--strict", "--config", file, "--json"),
        asyncio.to_thread(run, folder, "plugins", "check", "--strict", "--config", file),
    )

    assert (served.returncode, checked.returncode) == (3, 3)
    assert "plugin.unknown-hook" in served.stderr
    assert served.stdout == ""
    assert "misspelt" in checked.stdout


@asynccontextmanager
async def misbehaving(
    host: OutboxHost, folder: Path, tmp_path: Path, *modes: str
) -> AsyncIterator[Service]:
    """The good site beside one site for each mode; at the end the good one must have everything."""
    (tmp_path / "secret").write_text(PLANTED)
    sites = ""
    for mode in modes:
        install(folder, f"bad-{mode}", RUNNING)
        settings = f'mode = "{mode}"\nkey = "file:secret"\n'
        sites += BAD_SITE.format(site=mode, system=f"bad-{mode}") + settings
    async with beside(host.app) as host.base:
        file = configured(tmp_path, host.base, [f"bad-{mode}" for mode in modes], sites)
        async with started(file) as service:
            await until(lambda: accepted(service) == 5, 30)
            yield service
            host.kept += [referral(n) for n in range(6, 9)]
            await until(lambda: accepted(service) == 8, 30)


def told(service: Service) -> dict[str, Any]:
    return service.store.read_now(lambda tx: {each.site: each for each in tx.sites.list()})


EXPECTED = {
    "open-raises": "plugin.raised",
    "open-tells": "bad.config",
    "open-blocks": "plugin.blocks",
    "open-waits": "plugin.too-slow",
    "endpoints-raise": "plugin.raised",
    "poll-blocks": "plugin.blocks",
    "poll-raises": "plugin.raised",
    "poll-wrong": "plugin.wrong-type",
    "poll-cancels": "plugin.cancels",
    "poll-exits": "plugin.exits",
}


async def test_those_that_misbehave_when_opened_or_polled_are_named_and_the_good_one_loses_nothing(
    host: OutboxHost, folder: Path, tmp_path: Path
) -> None:
    async with misbehaving(host, folder, tmp_path, *EXPECTED) as service:
        await until(lambda: all(m in told(service) and told(service)[m].code for m in EXPECTED), 30)
        found = told(service)
        shown = service.store.read_now(queries.sites)

    assert {mode: found[mode].code for mode in EXPECTED} == EXPECTED
    assert [mode for mode in EXPECTED if not shown[mode]["error"]] == []
    assert PLANTED not in f"{found} {shown}"
    assert {found[mode].state for mode in EXPECTED} <= {"failed", "config-error", "retrying"}
    assert found["north"].state == "ready"


@pytest.mark.parametrize(
    ("mode", "code"), [("task-blocks", "plugin.blocks"), ("leaks", "plugin.memory")]
)
async def test_what_one_does_by_itself_is_found_by_the_watchdog(
    host: OutboxHost, folder: Path, tmp_path: Path, mode: str, code: str
) -> None:
    async with misbehaving(host, folder, tmp_path, mode) as service:
        await until(lambda: told(service)[mode].code == code, 30)
        found = told(service)[mode]

    assert found.state == "failed"
    assert f"bad-{mode}" in found.error
    assert found.fix


AT_DELIVERY = {
    "deliver-blocks": "plugin.blocks",
    "deliver-exits": "plugin.exits",
    "deliver-wrong": "plugin.wrong-type",
    "deliver-worker-dies": "plugin.worker-died",
}


async def test_those_that_fail_at_a_delivery_keep_it_for_another_try(
    host: OutboxHost, folder: Path, tmp_path: Path
) -> None:
    async with misbehaving(host, folder, tmp_path, *AT_DELIVERY) as service:
        await service.store.write(_one_for_each)
        service.courier.wake.set()
        found = await until(lambda: _tried(service, len(AT_DELIVERY)), 40)

    assert {row.destination: row.code for row in found} == AT_DELIVERY
    assert {row.state for row in found} <= {"waiting", "sending", "due"}


def _one_for_each(tx: Transaction) -> None:
    for mode in AT_DELIVERY:
        tx.outbox.add(
            organization="Test community health",
            referral=f"r-{mode}",
            destination=mode,
            event="answer",
            kind="request",
            document={},
            test=True,
        )


def _tried(service: Service, count: int) -> list[Any]:
    rows = service.store.read_now(lambda tx: tx.outbox.list())
    found = [row for row in rows if row.code]
    return found if len(found) == count else []


async def test_one_whose_page_blocks_is_ended_and_other_pages_answer(
    host: OutboxHost, folder: Path, tmp_path: Path
) -> None:
    async with misbehaving(host, folder, tmp_path, "pages") as service:
        road = httpx.ASGITransport(build_app(service), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=road, base_url="http://here") as client:
            begun = time.monotonic()
            blocked, other = await asyncio.gather(
                client.get("/sites/pages/"), client.get("/health/live")
            )

    assert (blocked.status_code // 100, other.status_code) == (5, 200)
    assert time.monotonic() - begun < 20


async def test_what_one_prints_is_shown_to_nobody_and_its_secrets_are_in_no_log(
    host: OutboxHost, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with structlog.testing.capture_logs(processors=[no_secrets]) as events:
        async with misbehaving(host, folder, tmp_path, "prints"):
            pass
    said = [each for each in events if each["event"] == "plugin.printed"]
    shown = capsys.readouterr()

    assert {each["plugin"] for each in said} == {"bad-prints"}
    assert len(said) >= 2
    assert [each for each in events if each["event"] == "bad.opened"]
    assert PLANTED not in repr(events) + shown.out + shown.err


async def test_check_says_of_a_plugin_that_it_gave_nonsense(folder: Path, tmp_path: Path) -> None:
    install(folder, "nonsense", RUNNING)
    sites = BAD_SITE.format(site="bad", system="nonsense")
    file = configured(tmp_path, "http://127.0.0.1:9", ["nonsense"], sites)
    rows = await check_all(load_config(file))

    (row,) = [each for each in rows if each["site"] == "bad"]
    assert row["state"] == "fail"
    assert "TypeError" in row["detail"]
