"""A full program still gets what was meant for it, with a warning; a move is told at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from adapter.cli import init
from adapter.cli.referrals import app as referrals_app
from adapter.exchange import queries
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.exchange.site_context import SiteContext
from adapter.plugin import Acted, Move, TransientError
from adapter.plugin.errors import PluginError
from adapter.portal.pages import Pages
from adapter.store.errors import StoreFault
from tests.integration.loop.harness import PROGRAMS, referral

pytestmark = pytest.mark.network


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    init.write(tmp_path, example=True, answers_port=9, smtp_port=9)
    (tmp_path / "programs.toml").write_text(PROGRAMS + getattr(request, "param", ""))
    made = Service.open(load_config(tmp_path / "adapter.toml"), pages=Pages())
    yield made
    asyncio.run(made.stop(1.0))


def processed(service: Service) -> dict[str, Any]:
    """The journey of a referral that the clinic sent."""
    organization = service.config.organization
    row = service.store.write_now(
        lambda tx: tx.inbox.add(
            organization=organization, site="clinic", key="1", format="hl7v2", kind="REF^I12",
            raw=referral("R-1").encode(),
        )
    )  # fmt: skip
    done = service.store.write_now(lambda tx: service.engine.process(tx, row))
    return journey(service, done.referral or "")


def journey(service: Service, id: str) -> dict[str, Any]:
    found = service.store.read_now(lambda tx: queries.journey(tx, id))
    assert found is not None
    return found


def kinds(found: dict[str, Any]) -> list[str]:
    return [each["kind"] for each in found["journal"]]


def context(service: Service, site: str = "agency") -> SiteContext:
    return service._context(service.sites[site], service.fleet.settings(site))


def act(service: Service, site: str = "agency", **wanted: Any) -> Acted:
    return asyncio.run(context(service, site).act(Move(**wanted)))


@pytest.mark.parametrize("service", ['capacity = "full"\n'], indirect=True)
def test_a_full_program_that_is_named_gets_the_referral_and_everybody_is_warned(
    service: Service,
) -> None:
    found = processed(service)

    assert "program.no-room" in kinds(found)
    assert "delivery.queued" in kinds(found)
    (warning,) = found["warnings"]
    assert warning.endswith(" is full")
    config = str(service.config.file)
    shown = CliRunner().invoke(referrals_app, ["show", found["id"], "--config", config])
    assert f"Warning: {warning}." in shown.stdout


def test_an_open_program_is_no_reason_to_warn(service: Service) -> None:
    found = processed(service)
    assert found["warnings"] == []
    assert "program.no-room" not in kinds(found)


def test_a_move_is_done_once_and_told_at_once(service: Service) -> None:
    work = processed(service)["fulfilments"][0]["id"]
    first = act(service, fulfilment=work, key="k-1", to="accepted", note="Gladly.")
    again = act(service, fulfilment=work, key="k-1", to="accepted")

    assert (first.state, first.status, first.accepted) == ("done", 200, True)
    assert (again.state, again.accepted) == ("already", True)
    (row,) = service.store.read_now(queries.referrals)
    assert row["fulfilments"][0]["status"] == "accepted"
    found = journey(service, row["id"])
    assert kinds(found).count("fulfilment.accepted") == 1
    (accepted,) = [each for each in found["journal"] if each["kind"] == "fulfilment.accepted"]
    assert (accepted["actor"], accepted["site"]) == ("agency", "agency")
    told = [each for each in found["journal"] if each["kind"] == "delivery.queued"]
    assert [each["data"]["to"] for each in told] == ["agency", "clinic"]


def test_a_decline_with_a_coded_reason_has_its_words(service: Service) -> None:
    found = processed(service)
    work = found["fulfilments"][0]["id"]
    told = act(service, fulfilment=work, key="k-1", to="rejected", reason="no-capacity")
    assert told.state == "done"
    (row,) = service.store.read_now(queries.referrals)
    assert row["fulfilments"][0]["reason"] == "no-capacity"


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ({"to": "completed"}, (409, 422), "lifecycle."),
        ({"to": "failed", "reason": "other"}, (409,), "lifecycle.not-allowed"),
        ({"to": "rejected"}, (422,), "lifecycle.reason-required"),
        ({"to": "resurrected"}, (422,), "lifecycle.unknown"),
        ({"to": "rejected", "reason": "bad mood"}, (422,), "reason.unknown"),
    ],
)
def test_what_the_referral_does_not_allow_is_refused_with_the_reason_and_changes_nothing(
    service: Service, wanted: dict[str, Any], status: tuple[int, ...], code: str
) -> None:
    work = processed(service)["fulfilments"][0]["id"]
    told = act(service, fulfilment=work, key="k-1", **wanted)

    assert told.state == "refused"
    assert told.status in status
    assert told.code.startswith(code)
    assert told.message
    (row,) = service.store.read_now(queries.referrals)
    assert row["fulfilments"][0]["status"] == "requested"


def test_another_sites_work_is_unknown(service: Service) -> None:
    work = processed(service)["fulfilments"][0]["id"]
    told = act(service, "clinic", fulfilment=work, key="k-1", to="accepted")
    assert (told.state, told.status) == ("unknown", 404)
    assert act(service, fulfilment="nobody", key="k-2", to="accepted").state == "unknown"


@pytest.mark.parametrize(
    "wanted",
    [{"fulfilment": "", "key": "k"}, {"fulfilment": "w", "key": ""}, {"fulfilment": 7, "key": "k"}],
)
def test_what_is_no_move_is_the_plugins_fault(service: Service, wanted: dict[str, Any]) -> None:
    with pytest.raises(PluginError) as raised:
        act(service, **wanted)
    assert raised.value.code == "plugin.wrong-type"


def test_a_store_that_cannot_take_it_says_so_and_nothing_was_done(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = processed(service)["fulfilments"][0]["id"]

    async def full(*given: Any, **more: Any) -> Any:
        raise StoreFault("store.full", "the disk is full", fix="")

    monkeypatch.setattr(service.store, "write", full)
    with pytest.raises(TransientError):
        act(service, fulfilment=work, key="k-1", to="accepted", occurred=datetime.now(UTC))
    (row,) = service.store.read_now(queries.referrals)
    assert row["fulfilments"][0]["status"] == "requested"
