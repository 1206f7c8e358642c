"""A site's own tables, changed while a real service runs: good ones taken, faulty ones refused."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import adapter_mappings
from adapter.exchange import queries, tables
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.security.keyring import Keyring

pytestmark = [pytest.mark.network, pytest.mark.anyio]
SHIPPED = Path(adapter_mappings.__file__).parent / "hl7v2_ref"
CASE = SHIPPED / "cases" / "ref-i12-20-segments.hl7"
MAP = "ref-i12.map.yaml"
CONFIG = """
organization = "Test community health"
[store]
url = "sqlite:///adapter.sqlite3"
key = "file:adapter.key"
[server]
port = 0
[plugins]
enabled = ["hl7v2", "link"]
[mappings]
folders = ["tables"]
[sites.clinic]
system = "hl7v2"
role = "requester"
organization = "Test clinic"
test = true
[sites.clinic.settings]
port = 0
verify_inbound = false
[sites.agency]
system = "link"
role = "performer"
organization = "Test agency"
test = true
[sites.agency.settings]
smtp_host = "127.0.0.1"
smtp_port = 9
smtp_tls = "none"
sender = "referrals@adapter.example"
recipient = "intake@agency.example"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A configuration with its own copy of the pack for REF."""
    (tmp_path / "adapter.key").write_text(Keyring.generate().to_text())
    (tmp_path / "adapter.toml").write_text(CONFIG)
    shutil.copytree(SHIPPED, tmp_path / "tables" / "hl7v2_ref")
    return tmp_path


def edit(folder: Path, old: str, new: str) -> int:
    """Change a row of the copy; the number of its line."""
    file = folder / "tables" / "hl7v2_ref" / MAP
    text = file.read_text()
    assert text.count(old) == 1, old
    file.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


@asynccontextmanager
async def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    monkeypatch.setattr(tables, "LOOK_SECONDS", 0.05)
    service = Service.open(load_config(folder / "adapter.toml"), pages=Pages())
    service.bound("http://127.0.0.1:1")
    try:
        await service.start()
        yield service
    finally:
        await service.stop(1.0)


async def site(service: Service, name: str, fits: Callable[[Any], bool]) -> Any:
    """The state of a site once it fits, as `adapter sites list` shows it."""
    found: Any = None
    for _ in range(600):
        found = (await service.store.read(queries.sites)).get(name)
        if found and fits(found):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


def title(service: Service) -> str:
    """What the table in use says of itself."""
    return str(service.mapper.packs.find("hl7v2", "REF^I12").table.title)


def reads(service: Service) -> str:
    """The family name in the shipped referral, by the tables in use."""
    facts = service.sites["clinic"]
    read = service.mapper.read(
        CASE.read_bytes(), format="hl7v2", dialect=None, site="clinic", timezone=str(facts.timezone)
    )
    assert read.event.referral is not None
    assert read.event.referral.subject is not None
    return str(read.event.referral.subject.name.family)  # type: ignore[union-attr]


TITLE = "title: Patient referral (REF^I12), versions 2.3 to 2.9"
ROW = "  - [MSH-12,  <->, envelope.version]"


async def test_good_tables_are_taken_and_faulty_ones_refused_with_their_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(folder, monkeypatch) as service:
        await site(service, "clinic", lambda s: s["state"] == "ready" and not s["error"])
        edit(folder, TITLE, "title: Our own referral")
        for _ in range(600):
            if title(service) == "Our own referral":
                break
            await asyncio.sleep(0.05)
        assert title(service) == "Our own referral"

        line = edit(folder, ROW, "  - [MSH-999, <->, envelope.version]")
        told = await site(service, "clinic", lambda s: s["error"])
        assert told["state"] == "ready"
        assert "runs on the last good tables" in told["error"]
        assert f"tables/hl7v2_ref/{MAP}:{line}:" in told["error"]
        assert told["fix"]
        assert title(service) == "Our own referral"
        assert reads(service) == "Synthetic"

        edit(folder, "  - [MSH-999, <->, envelope.version]", ROW)
        edit(folder, "title: Our own referral", "title: Mended")
        await site(service, "clinic", lambda s: not s["error"])
        assert title(service) == "Mended"
        assert service.projector is not None
        assert reads(service) == "Synthetic"


async def test_a_fault_at_the_start_closes_the_sites_of_that_format_alone_until_it_is_mended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = edit(folder, ROW, "  - [MSH-999, <->, envelope.version]")
    async with running(folder, monkeypatch) as service:
        told = await site(service, "clinic", lambda s: s["error"])
        assert told["state"] == "config-error"
        assert f"tables/hl7v2_ref/{MAP}:{line}:" in told["error"]
        assert (await site(service, "agency", lambda s: True))["state"] == "ready"
        assert "clinic" not in service.fleet.addresses

        edit(folder, "  - [MSH-999, <->, envelope.version]", ROW)
        assert (await site(service, "clinic", lambda s: s["state"] == "ready"))["error"] is None
        for _ in range(200):
            if "clinic" in service.fleet.addresses:
                break
            await asyncio.sleep(0.05)
        assert "clinic" in service.fleet.addresses
        assert reads(service) == "Synthetic"


async def test_a_pack_that_cannot_be_read_at_all_is_one_of_its_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "tables" / "hl7v2_ref" / "pack.toml").write_text("[pack\n")
    async with running(folder, monkeypatch) as service:
        told = await site(service, "clinic", lambda s: s["error"])
        assert told["state"] == "config-error"
        assert "pack.toml:1:6: pack:" in told["error"]
        assert (await site(service, "agency", lambda s: True))["state"] == "ready"


def test_sighup_reads_the_tables_again_and_sites_check_names_the_line(folder: Path) -> None:
    command = [sys.executable, "-m", "adapter.cli"]
    config = ["--config", str(folder / "adapter.toml")]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*command, "serve", "--json", *config],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
    ) as service:  # fmt: skip
        try:
            assert service.stdout is not None
            assert service.stderr is not None
            assert json.loads(service.stdout.readline())["event"] == "ready"
            service.send_signal(signal.SIGHUP)
            said = next(row for row in service.stderr if "tables." in row)
            assert "tables.loaded" in said
        finally:
            service.terminate()
            service.communicate(timeout=30)
    assert service.returncode == 0
    line = edit(folder, ROW, "  - [MSH-999, <->, envelope.version]")
    done = subprocess.run(
        [*command, "sites", "check", "--json", *config], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    [failed] = [row for row in json.loads(done.stdout) if row["site"] == "clinic"]
    assert failed["state"] == "fail"
    assert f"{MAP}:{line}:" in failed["detail"]
