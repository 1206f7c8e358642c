"""The core asks a real peer for news: nothing is lost or taken twice, and failures are told."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.exchange import queries
from adapter_conformance.fakes.serving import beside
from tests.integration.polling.outbox_host import OutboxHost, referral
from tests.integration.polling.stage import (
    Shifted,
    configured,
    inbox,
    poll,
    running,
    site,
    until,
)
from tests.integration.store.postgres import Cluster, available, running_cluster

pytestmark = [pytest.mark.anyio, pytest.mark.network]
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def host() -> OutboxHost:
    return OutboxHost(kept=[referral(number) for number in range(1, 6)])


async def test_what_a_peer_keeps_becomes_referrals_and_is_asked_for_once(
    host: OutboxHost, tmp_path: Path
) -> None:
    async with beside(host.app) as host.base, running(configured(tmp_path, host.base)) as service:
        await until(lambda: len(service.store.read_now(queries.referrals)) == 5)
        host.kept.append(referral(6))
        await until(lambda: len(service.store.read_now(queries.referrals)) == 6)

        assert inbox(service) == [(f"m-{number}", "accepted") for number in range(1, 7)]
        assert host.asked[:3] == ["0", "2", "4"]
        assert set(host.asked[3:]) <= {"5", "6"}
        assert poll(service).cursor == "6"


async def test_a_message_that_cannot_be_read_is_set_aside_and_the_others_go_on(
    host: OutboxHost, tmp_path: Path
) -> None:
    host.kept[2] = {"no": "message"}
    async with beside(host.app) as host.base, running(configured(tmp_path, host.base)) as service:
        await until(lambda: "quarantined" in [state for _, state in inbox(service)])
        await until(lambda: len(service.store.read_now(queries.referrals)) == 4)

        (bad,) = [key for key, state in inbox(service) if state == "quarantined"]
        assert bad == "outbox-3"
        assert poll(service).error is None


async def test_a_peer_that_starts_again_from_the_beginning_has_no_second_effect(
    host: OutboxHost, tmp_path: Path
) -> None:
    async with beside(host.app) as host.base:
        file = configured(tmp_path, host.base)
        async with running(file) as service:
            await until(lambda: len(inbox(service)) == 5)
            service.store.write_now(
                lambda tx: tx.session.run(_forget_cursor(), {"of_site": "north"})
            )
        host.kept[1] = referral(2) | {"wanted": "something else"}
        async with running(file) as service:
            await until(lambda: len(inbox(service)) == 6)
            await until(lambda: (row := poll(service)) and row.cursor == "5")

            assert sorted(inbox(service))[1:3] == [("m-2", "accepted"), ("m-2", "refused")]
            assert len(service.store.read_now(queries.referrals)) == 5


def _forget_cursor() -> Any:
    import sqlalchemy as sa

    from adapter.store import schema
    from adapter.store.statement import Statement

    table = schema.polls
    return Statement(
        sa.update(table)
        .where(table.c.site == sa.bindparam("of_site"))
        .values(cursor_sealed=None, owner=None)
    )


@pytest.mark.parametrize(
    ("place", "times"),
    [
        ("poll.before-keep", 1),
        ("poll.after-keep", 1),
        ("store.before-commit", 2),
        ("store.after-commit", 2),
        ("store.before-commit", 3),
        ("store.after-commit", 3),
    ],
)
async def test_a_power_cut_between_page_and_commit_loses_and_doubles_nothing(
    host: OutboxHost, tmp_path: Path, place: str, times: int
) -> None:
    host.kept = [referral(number) for number in range(1, 71)]
    async with beside(host.app) as host.base:
        file = configured(tmp_path, host.base, page=20)
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "tests.integration.polling.dying", str(file), place, str(times)],
            cwd=ROOT,
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == -9, done.stderr.decode()
        async with running(file, Shifted(60)) as service:  # its lease has run out by then
            await until(lambda: (row := poll(service)) and row.cursor == "70", 30)

            assert inbox(service) == [(f"m-{number}", "accepted") for number in range(1, 71)]


async def test_refused_credentials_pause_a_site_until_a_person_acts_and_are_told_once(
    host: OutboxHost, tmp_path: Path
) -> None:
    host.failing = [401, 401]
    async with beside(host.app) as host.base, running(configured(tmp_path, host.base)) as service:
        await until(lambda: (found := site(service)) and found.state == "auth-required")
        asked = len(host.authorizations)
        await asyncio.sleep(1.5)
        assert len(host.authorizations) == asked  # not once a second
        left = poll(service).next_at - service.now()
        assert 3_000 < left.total_seconds() < 4_000
        shown = service.store.read_now(queries.sites)["north"]
        assert shown["state"] == "auth-required"
        assert shown["poll_error"]

        service.store.write_now(lambda tx: tx.polls.due("north", now=service.now()))
        await until(lambda: not host.failing)
        await until(lambda: (poll(service).next_at - service.now()).total_seconds() > 3_000)
        service.store.write_now(lambda tx: tx.polls.due("north", now=service.now()))
        await until(lambda: site(service).state == "ready")
        kinds = [
            entry.kind
            for entry in service.store.read_now(lambda tx: tx.journal.after(0, 1000))
            if entry.kind.startswith("poll.")
        ]
        assert kinds == ["poll.failed", "poll.recovered"]


async def test_a_peer_that_is_down_is_asked_with_growing_pauses_and_then_well(
    host: OutboxHost, tmp_path: Path
) -> None:
    host.failing = [503]
    async with beside(host.app) as host.base, running(configured(tmp_path, host.base)) as service:
        await until(lambda: (found := poll(service)) and found.tries == 1)
        row = poll(service)
        assert 4.0 < (row.next_at - service.now()).total_seconds() < 6.0
        assert site(service).state == "retrying"
        assert row.code == "http.busy"
        await until(lambda: len(inbox(service)) == 5)
        await until(lambda: site(service).state == "ready")
        assert poll(service).tries == 0


async def test_what_came_before_a_fault_is_kept(host: OutboxHost, tmp_path: Path) -> None:
    host.kept[3] = "no object"
    async with beside(host.app) as host.base, running(configured(tmp_path, host.base)) as service:
        host.failing = []
        await until(lambda: len(inbox(service)) >= 3)
        assert poll(service).cursor in ("3", "4", "5")


async def test_a_service_stops_in_time_while_its_peer_takes_long(
    host: OutboxHost, tmp_path: Path
) -> None:
    host.slow = 4.0
    async with beside(host.app) as host.base:
        async with running(configured(tmp_path, host.base)):
            await until(lambda: host.now == 1)
            started = time.monotonic()
        assert time.monotonic() - started < 4.0
        host.slow = 0.0
        async with running(configured(tmp_path, host.base)) as service:
            await until(lambda: len(inbox(service)) == 5)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not available():
        pytest.fail("PostgreSQL is missing: apt-get install postgresql")
    with running_cluster() as started:
        yield started


async def test_several_processes_on_postgresql_never_ask_one_site_at_the_same_time(
    host: OutboxHost, tmp_path: Path, cluster: Cluster
) -> None:
    host.slow = 0.05
    url = cluster.new_database()
    async with beside(host.app) as host.base:
        file = configured(tmp_path, host.base, url=url)
        async with running(file) as one, running(file), running(file):
            for number in range(6, 31):
                host.kept.append(referral(number))
                await asyncio.sleep(0.1)
            await until(lambda: (row := poll(one)) and row.cursor == "30")
            rounds = len(host.asked)

            assert host.most == 1
            assert rounds > 5
            assert inbox(one) == [(f"m-{number}", "accepted") for number in range(1, 31)]
