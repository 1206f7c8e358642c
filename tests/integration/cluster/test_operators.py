"""An operator and a worker at one delivery in the same moment: one of them has it, and both know.

First each step of the one is met by all that the other does, so that every window is looked into,
however short it is. Then all run freely, many times.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.exchange import operations, taking
from adapter.exchange.carrier import Carrier
from adapter.exchange.clock import SystemClock
from adapter.plugin.errors import AdapterError
from adapter.plugin.messages import Delivered, Outbound
from adapter.security.keyring import Keyring
from adapter.store.check import check
from adapter.store.ids import new_id
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.cluster.lane_worker import SITES, Fleet, facts
from tests.integration.cluster.meeting import PATIENCE, Meeting
from tests.integration.cluster.test_lanes import add
from tests.integration.cluster.test_taking import SITE, jobs, worker

SOON = timedelta(minutes=1)
"""When a delivery that failed is due again; the workers' clock is ahead by more."""
ROUNDS = 40


class Peer:
    """Takes everything, and remembers what."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def deliver(self, message: Outbound) -> Delivered:
        self.sent.append(message.id)
        return Delivered()


@dataclass
class Stage:
    """A store as several processes have it open: who sets up, a worker, and an operator."""

    store: Store
    working: Store
    operating: Store
    peer: Peer = field(default_factory=Peer)

    def __post_init__(self) -> None:
        self.number = worker(self.store) if self.store.shared else 0
        self.carrier = Carrier(
            store=self.working,
            mapper=None,  # type: ignore[arg-type]
            fleet=Fleet(self.peer),  # type: ignore[arg-type]
            sites={name: facts(name) for name in SITES},
            clock=SystemClock(),
        )

    def lane(self, deep: int) -> list[str]:
        """The deliveries of a new lane, the first of them due."""
        name = new_id()
        return self.store.write_now(lambda tx: [add(tx, name, place) for place in range(deep)])

    def failed_lane(self, deep: int) -> list[str]:
        """As `lane`, but the first was tried already, and waits for its next try."""
        ids = self.lane(deep)
        soon = datetime.now(UTC) + SOON

        def try_once(tx: Transaction) -> None:
            (row,) = [each for each in tx.outbox.list() if each.id == ids[0]]
            assert tx.outbox.claim_lane(row.lane, tx.now())
            tx.outbox.retry(row.id, soon)

        self.store.write_now(try_once)
        return ids

    def dead_lane(self, deep: int) -> list[str]:
        """As `lane`, but the first failed for good."""
        ids = self.lane(deep)
        self.store.write_now(
            lambda tx: tx.outbox.fail(ids[0], "dead", code="c", error="e", fix="f")
        )
        return ids

    def work(self) -> int:
        """What a worker does at once: take what is due, send it, write what became of it."""
        now = datetime.now(UTC) + 2 * SOON
        if not self.store.shared:
            rows = self.working.write_now(lambda tx: tx.outbox.claim_due(now, 8))
            assert all(asyncio.run(self.carrier.carry(row)) for row in rows)
            return len(rows)
        taken, _ = self.working.write_now(
            lambda tx: taking.take(tx, self.number, [SITE], 8, now=now, under_way=())
        )
        for each in taken:
            assert each.row is not None
            assert asyncio.run(self.carrier.carry(each.row, each.job))
        return len(taken)

    def discard(self, identity: str) -> str | None:
        """As `adapter deliveries discard`."""
        return told_by(
            self.operating, lambda tx: operations.discard_delivery(tx, identity, "told by phone")
        )

    def retry(self, identity: str) -> str | None:
        """As `adapter deliveries retry`."""
        return told_by(self.operating, lambda tx: operations.retry(tx, identity, datetime.now(UTC)))

    def worked(self, _: str) -> None:
        """A worker comes by."""
        self.work()

    def retried_and_worked(self, identity: str) -> None:
        """Another operator was faster, and a worker too."""
        assert told_by(self.store, lambda tx: operations.retry(tx, identity, tx.now())) is None
        self.work()

    def finish(self) -> dict[str, str]:
        """Everything that is due is sent, until nothing is; the states of all."""
        while self.work():
            pass
        return {row.id: row.state for row in self.store.read_now(lambda tx: tx.outbox.list())}

    def assert_sound(self) -> None:
        """What was sent is what was delivered, each once; nothing is left, and no lane stands."""
        states = self.finish()
        assert set(states.values()) <= {"delivered", "discarded"}
        assert sorted(self.peer.sent) == sorted(i for i in states if states[i] == "delivered")
        if self.store.shared:
            assert jobs(self.store) == []
        assert [each for each in check(self.store) if each.state == "fail"] == []


def told_by(store: Store, work: Callable[[Any], object]) -> str | None:
    try:
        store.write_now(work)
    except AdapterError as error:
        return error.code
    return None


@pytest.fixture
def stage(address: str, keyring: Keyring) -> Iterator[Stage]:
    with opened(address, keyring) as made:
        yield made


@contextmanager
def opened(address: str, keyring: Keyring) -> Iterator[Stage]:
    with (
        closing(Store.open(address, keyring)) as one,
        closing(Store.open(address, keyring)) as two,
        closing(Store.open(address, keyring)) as three,
    ):
        yield Stage(one, two, three)


CASES: dict[str, tuple[Callable[[Stage], str], Callable[[Stage, str], str | None], str]] = {
    "discard what is due": (lambda stage: stage.lane(3)[0], Stage.discard, "delivery.not-open"),
    "discard what stands behind": (lambda stage: stage.lane(3)[1], Stage.discard, ""),
    "retry what waits": (lambda stage: stage.failed_lane(2)[0], Stage.retry, "delivery.not-failed"),
    "retry what is dead": (lambda stage: stage.dead_lane(2)[0], Stage.retry, "delivery.not-failed"),
}
"""What an operator does: to what, how, and the refusal where a worker has it."""


@pytest.mark.parametrize("halts", ["operator", "worker"])
@pytest.mark.parametrize("case", CASES)
def test_whoever_comes_first_at_any_step_has_the_delivery_and_the_other_knows(
    stage: Stage, case: str, halts: str
) -> None:
    prepare, act, refusal = CASES[case]
    others = stage.retried_and_worked if case == "retry what is dead" else stage.worked
    told: dict[str, str | None] = {}
    there_is = True
    while there_is:
        identity = prepare(stage)
        meeting = Meeting(stage.store, halts, len(told) + 1)
        there_is, told[identity] = meeting.hold(
            lambda i=identity: act(stage, i),  # type: ignore[misc]
            lambda i=identity: others(i),  # type: ignore[misc]
        )
        stage.finish()
        # Nobody was undone by the database and had to begin again: each time that costs a second.
        assert set(meeting.begun.values()) == {1}, meeting.begun
    states = stage.finish()
    done = "discarded" if act is Stage.discard else "delivered"
    for identity, said in told.items():
        assert (said, states[identity]) in {(None, done), (refusal, "delivered")}
    assert set(told.values()) == {None, refusal or None}
    stage.assert_sound()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_what_an_operator_was_told_holds_while_workers_take_all_they_can(
    request: pytest.FixtureRequest, tmp_path: Path, keyring: Keyring, database: str
) -> None:
    if database == "sqlite":
        address = f"sqlite:///{tmp_path}/store.db"
    else:
        address = request.getfixturevalue("address")
    discards: dict[str, str | None] = {}
    retries: dict[str, str | None] = {}
    with opened(address, keyring) as stage, ThreadPoolExecutor(3) as pool:
        for number in range(ROUNDS):
            waits, due = stage.failed_lane(2)[0], stage.lane(2)[0]
            start = threading.Barrier(3)

            def at_once(act: Callable[..., Any], *of: Any, start: Any = start) -> Any:
                start.wait(PATIENCE)
                return act(stage, *of)

            def work(stage: Stage, late: float = number % 6 / 2000) -> None:
                if stage.store.shared:
                    time.sleep(late)  # else it is always a little faster than the operators
                stage.work()

            worked = pool.submit(at_once, work)
            discard = pool.submit(at_once, Stage.discard, due)
            retry = pool.submit(at_once, Stage.retry, waits)
            worked.result(PATIENCE)
            discards[due], retries[waits] = discard.result(PATIENCE), retry.result(PATIENCE)
        stage.assert_sound()
        states = stage.finish()
    for told, done, refusal in (
        (discards, "discarded", "delivery.not-open"),
        (retries, "delivered", "delivery.not-failed"),
    ):
        for identity, said in told.items():
            assert (said, states[identity]) in {(None, done), (refusal, "delivered")}
