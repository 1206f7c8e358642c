"""A site that was paused, or whose peer is gone, stays so until somebody resumes it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapter.cli import init
from adapter.exchange import operations
from adapter.exchange.config import load_config
from adapter.exchange.holding import say_state
from adapter.exchange.service import Service
from adapter.plugin.errors import ConfigError
from adapter.portal.pages import Pages
from adapter.store.sites import SiteState
from adapter.store.transaction import Transaction

pytestmark = pytest.mark.network
ORGANIZATION = "Synthetic organization"


def pause(tx: Transaction) -> None:
    operations.pause(tx, "agency", ORGANIZATION, "moving house")


def gone(tx: Transaction) -> None:
    tx.sites.set("agency", "disabled", organization=ORGANIZATION, code="http.gone", error="410")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    init.write(tmp_path, example=True, answers_port=9, smtp_port=9)
    return tmp_path


def service(folder: Path) -> Service:
    return Service.open(load_config(folder / "adapter.toml"), pages=Pages())


async def started(folder: Path, *, resumed: bool = False) -> SiteState | None:
    """How the agency stands after a start of the service on the same store."""
    made = service(folder)
    if resumed:
        await made.store.write(lambda tx: operations.resume(tx, "agency", ORGANIZATION, made.now()))
    try:
        await made.start()
        return await made.store.read(lambda tx: tx.sites.get("agency"))
    finally:
        await made.stop(1.0)


@pytest.mark.parametrize("stop", [pause, gone])
def test_a_start_does_not_resume_it_and_a_person_does(folder: Path, stop: object) -> None:
    assert callable(stop)
    first = service(folder)
    first.store.write_now(stop)
    before = first.store.read_now(lambda tx: tx.sites.get("agency"))
    first.store.close()

    assert asyncio.run(started(folder)) == before
    resumed = asyncio.run(started(folder, resumed=True))
    assert resumed is not None
    assert resumed.state == "ready"


def test_what_was_under_way_does_not_resume_it(folder: Path) -> None:
    store = service(folder).store
    store.write_now(pause)
    fault = ConfigError("http.moved", "The peer says that it moved.", fix="Correct base_url.")
    for state, error in (("ready", None), ("retrying", None), ("config-error", fault)):
        said = store.write_now(
            lambda tx, state=state, error=error: say_state(  # type: ignore[misc]
                tx, "agency", state, organization=ORGANIZATION, error=error
            )
        )
        assert said is False
    kept = store.read_now(lambda tx: tx.sites.get("agency"))
    store.close()
    assert kept is not None
    assert (kept.state, kept.error) == ("paused", "moving house")
