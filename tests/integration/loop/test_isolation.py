"""Test mode: what is flagged test reaches test sites only, and nothing else reaches those.

Asked twice: when a delivery is queued, and when it is about to be sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.cli import init
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.store.ids import new_id
from adapter.store.transaction import Transaction
from tests.integration.loop.harness import PROGRAMS, referral

pytestmark = pytest.mark.network


def opened(folder: Path, *, clinic: bool, agency: bool) -> Service:
    init.write(folder, example=True, answers_port=9, smtp_port=9)
    file = folder / "adapter.toml"
    text = file.read_text().replace('auth = "open"', 'auth = "none"').replace("test = true", "")
    for name, test in (("clinic", clinic), ("agency", agency)):
        text = text.replace(f"[sites.{name}]", f"[sites.{name}]\ntest = {str(test).lower()}")
    file.write_text(text)
    (folder / "programs.toml").write_text(PROGRAMS)
    return Service.open(load_config(file), pages=Pages())


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    clinic, agency = request.param
    made = opened(tmp_path, clinic=clinic, agency=agency)
    yield made
    asyncio.run(made.stop(1.0))


def processed(service: Service) -> str:
    """The id of a referral that the clinic sent."""
    organization = service.config.organization
    row = service.store.write_now(
        lambda tx: tx.inbox.add(
            organization=organization, site="clinic", key="1", format="hl7v2", kind="REF^I12",
            raw=referral("R-1").encode(),
        )
    )  # fmt: skip
    done = service.store.write_now(lambda tx: service.engine.process(tx, row))
    assert done.state == "processed"
    return done.referral or ""


@pytest.mark.parametrize("service", [(True, False), (False, True)], indirect=True)
def test_a_referral_of_the_one_kind_is_never_queued_for_a_site_of_the_other(
    service: Service,
) -> None:
    own = processed(service)
    rows = service.store.read_now(lambda tx: tx.outbox.list())
    assert [row for row in rows if row.destination == "agency"] == []
    whys = [
        entry.data["why"]
        for entry in service.store.read_now(lambda tx: tx.journal.of(own))
        if entry.kind == "delivery.not-sent"
    ]
    assert len(whys) == 1
    assert "test" in whys[0]


@pytest.mark.parametrize("service", [(True, True), (False, False)], indirect=True)
def test_a_referral_reaches_the_sites_of_its_own_kind(service: Service) -> None:
    processed(service)
    rows = service.store.read_now(lambda tx: tx.outbox.list())
    assert [row.event for row in rows if row.destination == "agency"] == ["request"]


@pytest.mark.parametrize("service", [(True, True), (False, False)], indirect=True)
def test_a_site_whose_kind_was_changed_gets_nothing_that_was_queued_before(
    service: Service,
) -> None:
    kind = service.sites["agency"].test
    identity = service.store.write_now(lambda tx: _queued(tx, test=not kind))
    (row,) = service.store.write_now(lambda tx: tx.outbox.claim_due(service.now(), 9))
    asyncio.run(service.courier.carrier.carry(row))
    after = service.store.read_now(lambda tx: tx.outbox.get(identity))
    assert after is not None
    assert after.state == "discarded"
    assert "test" in (after.reason or "")


def _queued(tx: Transaction, *, test: bool) -> Any:
    return tx.outbox.add(
        organization="o", referral=new_id(), destination="agency", event="request", kind="",
        document={}, test=test,
    )  # fmt: skip
