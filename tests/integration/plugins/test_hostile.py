"""A site whose peer is hostile, in a real service: no other site loses or waits for a message."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from adapter.exchange import queries
from adapter.exchange.service import Service
from adapter_conformance.fakes.serving import beside
from adapter_hostile.data import raws
from adapter_hostile.server import HostileServer
from tests.integration.polling.outbox_host import OutboxHost, referral
from tests.integration.polling.stage import configured, running, until

pytestmark = [pytest.mark.anyio, pytest.mark.network]
SITE = """
[sites.west]
system = "hostile"
role = "requester"
organization = "Hostile clinic"
test = true
poll_seconds = 1
[sites.west.settings]
base_url = "{base}"
http = {{ retries = 0, total_timeout = 1, timeout = 1, max_response_bytes = 4194304 }}
"""
GOOD = 20


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def both(folder: Path, good: str, bad: str) -> Path:
    """adapter.toml of a good site and a hostile one."""
    file = configured(folder, good)
    text = file.read_text("utf-8").replace('["reference"]', '["reference", "hostile"]')
    file.write_text(text + SITE.format(base=bad), "utf-8")
    return file


def of(service: Service, site: str) -> list[tuple[str | None, str]]:
    """Key and state of what came from a site."""
    rows = service.store.read_now(lambda tx: tx.inbox.list())
    return [(row.key, row.state) for row in rows if row.site == site]


def referrals(service: Service, site: str) -> int:
    """How many referrals a site's messages became."""
    return sum(row["site"] == site for row in service.store.read_now(queries.referrals))


async def test_beside_a_hostile_peer_another_site_loses_nothing(tmp_path: Path) -> None:
    host = OutboxHost(kept=[referral(number) for number in range(1, GOOD + 1)])
    bad = HostileServer(every=2)
    async with (
        beside(host.app) as host.base,
        beside(bad.app) as bad.base,
        running(both(tmp_path, host.base, bad.base)) as service,
    ):
        await until(lambda: referrals(service, "north") == GOOD)
        await until(lambda: referrals(service, "west") >= bad.good, patience=40.0)
        host.kept.append(referral(GOOD + 1))
        await until(lambda: referrals(service, "north") == GOOD + 1)

        keys = [(f"m-{number}", "accepted") for number in range(1, GOOD + 2)]
        assert of(service, "north") == keys
        states = {state for _, state in of(service, "west")}
        assert {"accepted", "quarantined"} <= states
        assert bad.played


async def test_bytes_that_are_pushed_are_taken_set_aside_or_refused_and_the_service_goes_on(
    tmp_path: Path,
) -> None:
    host, bad = OutboxHost(kept=[]), HostileServer(every=1)
    async with (
        beside(host.app) as host.base,
        beside(bad.app) as bad.base,
        running(both(tmp_path, host.base, bad.base)) as service,
    ):
        door = await until(lambda: service.fleet.apps.get("west"))
        road = httpx.ASGITransport(door, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=road, base_url="http://127.0.0.1") as client:
            said = [
                (name, (await client.post("/messages", content=raw)).status_code)
                for name, raw in raws()
            ]
        host.kept.append(referral(1))
        await until(lambda: referrals(service, "north") == 1)
        await asyncio.sleep(0)

    assert [each for each in said if each[1] not in (202, 400, 409)] == []
    assert {status for _, status in said} == {202, 400, 409}
