"""A store of the first version: its referrals become their organizations' when it is upgraded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapter.api.app import build_app
from adapter.cli.main import main
from adapter.exchange.config import load_config
from adapter.exchange.earlier import share_earlier
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.security.keyring import Keyring
from adapter.store import migrations
from adapter.store.dialect import dialect_of
from tests.integration.loop.harness import CONFIG, PROGRAMS, referral
from tests.unit.api import backend

pytestmark = [pytest.mark.anyio, pytest.mark.network]


def opened(folder: Path) -> Service:
    service = Service.open(load_config(folder / "adapter.toml"), pages=Pages())
    service.bound("http://adapter.example")
    return service


def configured(folder: Path) -> Path:
    (folder / "adapter.key").write_text(Keyring.generate().to_text())
    (folder / "programs.toml").write_text(PROGRAMS)
    text = CONFIG.format(http=0, mllp=0, emr=9, smtp=9, language="en")
    (folder / "adapter.toml").write_text(text.replace('auth = "open"', 'auth = "smart"'))
    return folder


async def received(service: Service, number: str) -> str:
    """A referral that came as HL7 v2; its id."""
    raw = referral(number).encode()
    service.store.write_now(
        lambda tx: tx.inbox.add(
            organization=service.organization,
            site="clinic",
            key=number,
            format="hl7v2",
            kind="REF^I12",
            dialect=None,
            raw=raw,
            answer=b"",
            test=True,
        )
    )
    assert await service.workbench.work() == 1
    return service.store.read_now(lambda tx: tx.cases.list())[-1].id


def of_the_first_version(folder: Path) -> None:
    """Put everything that a store holds into tables of the first version, as it is sealed."""
    new, old = folder / "adapter.sqlite3", folder / "first.sqlite3"
    migrations.upgrade(dialect_of(f"sqlite:///{old}"), "0001")
    connection = sqlite3.connect(old, isolation_level=None)
    connection.execute("ATTACH ? AS new", (str(new),))
    listed = "SELECT name FROM {}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    known = {row[0] for row in connection.execute(listed.format("new"))}
    for (table,) in connection.execute(listed.format("main")).fetchall():
        if table in known and table != "alembic_version":
            columns = [row[1] for row in connection.execute(f"PRAGMA main.table_info({table})")]
            names = ", ".join(columns)
            connection.execute(f"DELETE FROM main.{table}")
            source = f"SELECT {names} FROM new.{table}"
            if table == "resource_keys":  # had each version's
                source = (
                    "SELECT k.key, r.sequence, k.organization"
                    " FROM new.resource_keys k JOIN new.resources r USING (type, id)"
                )
            connection.execute(f"INSERT INTO main.{table} {source}")
    connection.close()
    for file in folder.glob("adapter.sqlite3*"):
        file.unlink()
    old.rename(new)
    for left in folder.glob("first.sqlite3*"):
        left.unlink()


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """A configuration with a store of the first version that holds a referral."""
    service = opened(configured(tmp_path))
    await received(service, "R-EARLY-1")
    service.store.close()
    of_the_first_version(tmp_path)
    assert migrations.standing(dialect_of(f"sqlite:///{tmp_path}/adapter.sqlite3")) == "0001"
    return tmp_path


@pytest.fixture
def after(folder: Path) -> Iterator[Service]:
    """The service over the store after `adapter db upgrade`."""
    config = str(folder / "adapter.toml")
    with pytest.raises(SystemExit) as ended:
        main(["db", "upgrade", "--config", config])
    assert not ended.value.code
    service = opened(folder)
    yield service
    service.store.close()


async def test_after_an_upgrade_the_parties_of_an_earlier_referral_see_it_and_nobody_else(
    after: Service,
) -> None:
    (case,) = after.store.read_now(lambda tx: tx.cases.list())
    transport = httpx.ASGITransport(app=build_app(after))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://adapter.example/fhir"
    ) as wire:
        found = {}
        for name in ("Test clinic", "Test agency", "Stranger"):
            token = await backend.token(wire, after, backend.registered(after, name, name))
            headers = {"Authorization": f"Bearer {token}"}
            one = await wire.get(f"/ServiceRequest/{case.id}", headers=headers)
            tasks = (await wire.get("/Task", headers=headers)).json()["total"]
            found[name] = (one.status_code, tasks)
    assert found == {"Test clinic": (200, 1), "Test agency": (200, 1), "Stranger": (404, 0)}


async def test_a_start_shares_what_no_upgrade_did(folder: Path) -> None:
    service = opened(folder)
    (case,) = service.store.read_now(lambda tx: tx.cases.list())
    parties = service.store.read_now(lambda tx: tx.parties.of("ServiceRequest", case.id))
    assert parties == {}
    try:
        await service.start()
        parties = service.store.read_now(lambda tx: tx.parties.of("ServiceRequest", case.id))
        assert {name: (each.owns, each.performs) for name, each in parties.items()} == {
            "Test clinic": (True, False),
            "Test agency": (False, True),
        }
    finally:
        await service.stop()


async def test_what_is_shared_is_shared_once_and_sites_that_are_gone_get_nothing(
    after: Service,
) -> None:
    names = {"clinic": "Somebody else", "agency": "Somebody else"}
    assert share_earlier(after.store, after.organization, names) == 0
    (case,) = after.store.read_now(lambda tx: tx.cases.list())
    parties = after.store.read_now(lambda tx: tx.parties.of("ServiceRequest", case.id))
    assert set(parties) == {"Test clinic", "Test agency"}
