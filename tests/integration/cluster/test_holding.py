"""A site that does not let us in is paused and told once; all goes on when it is mended."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.exchange import operations
from adapter.exchange.carrier import Carrier
from adapter.exchange.delivery import Courier
from adapter.exchange.retry import SCHEDULE
from adapter.plugin.errors import AdapterError, AuthError, GoneError, TransientError
from adapter.plugin.messages import Delivered, Outbound
from adapter.security.keyring import Keyring
from adapter.store.ids import new_id
from adapter.store.store import Store
from tests.integration.cluster.lane_worker import SITES, Fleet, facts
from tests.integration.cluster.test_lanes import add
from tests.integration.store.work import ORGANIZATION


class Clock:
    """Real time, and more where a test says so."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Peer:
    """Takes nothing while `fault` is set."""

    def __init__(self, fault: AdapterError | None) -> None:
        self.fault = fault
        self.tried: list[str] = []

    async def deliver(self, message: Outbound) -> Delivered:
        self.tried.append(message.referral)
        if self.fault is not None:
            raise self.fault
        return Delivered()


@pytest.fixture(params=["sqlite", "postgresql"])
def held_store(
    request: pytest.FixtureRequest, tmp_path: Path, keyring: Keyring, clock: Clock
) -> Iterator[Store]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/store.db"
    else:
        url = request.getfixturevalue("cluster").new_database()
    opened = Store.open(url, keyring, clock=clock.now)
    yield opened
    opened.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def courier(store: Store, peer: Peer, clock: Clock) -> Courier:
    fleet: Any = Fleet(peer)  # type: ignore[arg-type]
    nobody: Any = None
    sites = {name: facts(name) for name in SITES}
    return Courier(Carrier(store=store, mapper=nobody, fleet=fleet, sites=sites, clock=clock))


async def running(made: Courier, work: Any) -> None:
    task = asyncio.create_task(made.run())
    try:
        await work()
    finally:
        await made.stop(5.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(done: Any, patience: float = 40.0) -> None:
    async with asyncio.timeout(patience):
        while not done():  # noqa: ASYNC110 - what is waited for is another process's doing
            await asyncio.sleep(0.1)


def state(store: Store) -> str | None:
    site = store.read_now(lambda tx: tx.sites.get("agency"))
    return site.state if site else None


def states(store: Store) -> set[str]:
    """The states of all deliveries."""
    return {row.state for row in store.read_now(lambda tx: tx.outbox.list())}


def test_a_site_that_refuses_us_is_held_told_once_and_goes_on_when_resumed(
    held_store: Store, clock: Clock
) -> None:
    store, peer = held_store, Peer(AuthError("peer.refused", "no", fix="mend it"))
    lanes = [new_id() for _ in range(30)]

    async def work() -> None:
        store.write_now(lambda tx: add(tx, lanes[0], 0))
        await until(lambda: state(store) == "auth-required")
        store.write_now(lambda tx: [add(tx, lane, 0) for lane in lanes[1:]])
        await asyncio.sleep(2.5)
        assert peer.tried == lanes[:1]
        peer.fault = None
        store.write_now(lambda tx: operations.resume(tx, "agency", ORGANIZATION, clock.now()))
        await until(lambda: set(peer.tried) >= set(lanes))
        await until(lambda: state(store) == "ready")
        await until(lambda: states(store) == {"delivered"})

    asyncio.run(running(courier(store, peer, clock), work))
    kinds = [entry.kind for entry in store.read_now(lambda tx: tx.journal.after(0, 999))]
    assert kinds.count("site.auth-required") == 1
    assert states(store) == {"delivered"}


@pytest.mark.parametrize("asked", ["resume", "retry"])
def test_who_asks_often_during_an_outage_uses_up_no_tries(
    held_store: Store, clock: Clock, asked: str
) -> None:
    store, peer = held_store, Peer(TransientError("peer.down", "down"))

    def again() -> int:
        (row,) = store.read_now(lambda tx: tx.outbox.list())
        if asked == "retry":
            store.write_now(lambda tx: operations.retry(tx, row.id, clock.now()))
        else:
            store.write_now(lambda tx: operations.resume(tx, "agency", ORGANIZATION, clock.now()))
        return len(peer.tried)

    async def work() -> None:
        store.write_now(lambda tx: add(tx, new_id(), 0))
        for _ in range(len(SCHEDULE) + 3):
            await until(lambda: states(store) == {"waiting"} and peer.tried)
            before = again()
            await until(lambda n=before: len(peer.tried) > n)
        await until(lambda: states(store) == {"waiting"})
        peer.fault = None
        again()
        await until(lambda: states(store) == {"delivered"})

    asyncio.run(running(courier(store, peer, clock), work))


def test_a_held_site_is_tried_with_one_delivery_after_an_hour_and_then_with_all(
    held_store: Store, clock: Clock
) -> None:
    store, peer = held_store, Peer(AuthError("peer.refused", "no", fix="mend it"))
    lanes = [new_id() for _ in range(12)]

    async def work() -> None:
        store.write_now(lambda tx: add(tx, lanes[0], 0))
        await until(lambda: state(store) == "auth-required")
        store.write_now(lambda tx: [add(tx, lane, 0) for lane in lanes[1:]])
        await asyncio.sleep(1.5)
        clock.ahead = timedelta(hours=2)
        await until(lambda: len(peer.tried) == 2)
        await asyncio.sleep(1.5)
        assert len(peer.tried) == 2
        peer.fault = None
        clock.ahead = timedelta(hours=4)
        await until(lambda: set(peer.tried) >= set(lanes))

    asyncio.run(running(courier(store, peer, clock), work))


def test_a_peer_that_is_gone_makes_one_dead_letter_and_the_others_wait(
    held_store: Store, clock: Clock
) -> None:
    store, peer = held_store, Peer(GoneError("peer.gone", "gone", fix="ask"))
    lanes = [new_id() for _ in range(12)]

    async def work() -> None:
        store.write_now(lambda tx: add(tx, lanes[0], 0))
        await until(lambda: state(store) == "disabled")
        store.write_now(lambda tx: [add(tx, lane, 0) for lane in lanes[1:]])
        await asyncio.sleep(2)
        assert peer.tried == lanes[:1]

    asyncio.run(running(courier(store, peer, clock), work))
    states = [row.state for row in store.read_now(lambda tx: tx.outbox.list())]
    assert states.count("dead") == 1
    assert states.count("sending") == 0
