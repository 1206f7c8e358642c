"""Several worker processes on one PostgreSQL: nothing lost, nothing twice, each lane in order."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapter.exchange import operations
from adapter.store.check import check, open_lanes
from adapter.store.ids import new_id
from adapter.store.lane_jobs import lacking, sweep
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.cluster.conftest import Start
from tests.integration.store.work import ORGANIZATION

PATIENCE = 40.0


def add(tx: Transaction, lane: str, place: int, destination: str = "agency") -> str:
    return tx.outbox.add(
        organization=ORGANIZATION, referral=lane, destination=destination, event=str(place),
        kind="", document={}, test=True,
    )  # fmt: skip


def fill(store: Store, lanes: int, deep: int, destination: str = "agency") -> list[str]:
    names = [new_id() for _ in range(lanes)]
    for place in range(deep):
        store.write_now(lambda tx, p=place: [add(tx, name, p, destination) for name in names])
    return names


def until(done: Callable[[], bool], patience: float = PATIENCE) -> float:
    started = time.monotonic()
    while not done():
        assert time.monotonic() - started < patience, "it never came to that"
        time.sleep(0.05)
    return time.monotonic() - started


def settled(store: Store) -> bool:
    return not store.read_now(open_lanes)


def lines(effects: Path) -> list[list[str]]:
    return [line.split() for line in effects.read_text().splitlines()] if effects.exists() else []


def assert_each_lane_once_and_in_order(effects: Path, lanes: list[str], deep: int) -> None:
    places: dict[str, list[int]] = defaultdict(list)
    seen: set[str] = set()
    for lane, place, identity, _ in lines(effects):
        if identity not in seen:
            places[lane].append(int(place))
        seen.add(identity)
    assert places == {lane: list(range(deep)) for lane in lanes}


def test_two_workers_share_the_lanes_and_each_delivery_arrives_once(
    store: Store, start: Start, effects: Path
) -> None:
    start(0.05)
    start(0.05)
    lanes = fill(store, 60, 2)
    until(lambda: settled(store))
    assert_each_lane_once_and_in_order(effects, lanes, 2)
    counted = Counter(identity for _, _, identity, _ in lines(effects))
    assert len(counted) == 120
    assert set(counted.values()) == {1}
    assert len({pid for *_, pid in lines(effects)}) == 2
    assert "fail" not in {each.state for each in check(store)}


def test_the_lanes_of_a_killed_worker_go_on_within_the_heartbeat(
    store: Store, start: Start, effects: Path
) -> None:
    lanes = fill(store, 16, 4)
    doomed = start(0.5)
    until(lambda: len(lines(effects)) >= 4)
    start(0.01)
    os.kill(doomed.pid, signal.SIGKILL)
    doomed.wait()
    assert until(lambda: settled(store)) < 10
    assert_each_lane_once_and_in_order(effects, lanes, 4)
    twice = sum(Counter(each[2] for each in lines(effects)).values()) - 64
    assert twice <= 8  # what it was sending when it died may have arrived: the same id tells


def test_a_worker_that_starts_leaves_the_claims_of_others_alone(
    store: Store, start: Start, effects: Path
) -> None:
    fill(store, 8, 1)
    start(3.0)
    until(lambda: len(claimed(store)) == 8)
    start(0.01)
    until(lambda: settled(store))
    assert len(lines(effects)) == 8


def claimed(store: Store) -> list[str]:
    return [r.id for r in store.read_now(lambda tx: tx.outbox.list()) if r.state == "sending"]


def test_a_slow_destination_delays_no_other(store: Store, start: Start, effects: Path) -> None:
    fill(store, 60, 1, "agency")
    start(1.0)
    time.sleep(0.3)
    quick = fill(store, 4, 1, "other")
    until(lambda: {lane for lane, *_ in lines(effects)} >= set(quick), patience=4.0)


def test_what_waits_for_a_later_time_is_delivered_then(
    store: Store, start: Start, effects: Path
) -> None:
    later = datetime.now(UTC) + timedelta(seconds=3)
    store.write_now(
        lambda tx: tx.outbox.add(
            organization=ORGANIZATION, referral=new_id(), destination="agency", event="0",
            kind="", document={}, test=True, not_before=later,
        )
    )  # fmt: skip
    start()
    until(lambda: settled(store), patience=10)
    assert datetime.now(UTC) >= later


def test_a_stop_finishes_what_is_in_flight_and_leaves_the_rest(
    store: Store, start: Start, effects: Path
) -> None:
    fill(store, 40, 1)
    process = start(1.0)
    until(lambda: len(claimed(store)) >= 8)
    begun = set(claimed(store))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    assert {each[2] for each in lines(effects)} >= begun
    assert claimed(store) == []


def test_a_stop_does_not_wait_for_what_takes_too_long_and_another_does_it(
    store: Store, start: Start, effects: Path
) -> None:
    lanes = fill(store, 4, 1)
    process = start(60.0)
    until(lambda: len(claimed(store)) == 4)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    start(0.01)
    until(lambda: settled(store))
    assert {lane for lane, *_ in lines(effects)} == set(lanes)


def test_every_way_in_which_a_lane_becomes_due_gives_it_one_job(store: Store) -> None:
    lane = new_id()
    first = store.write_now(lambda tx: add(tx, lane, 0))
    store.write_now(lambda tx: add(tx, lane, 1))
    assert jobs(store) == [f"{lane}|agency"]
    now = datetime.now(UTC)
    row = store.write_now(lambda tx: tx.outbox.claim_lane((lane, "agency"), now))
    assert row is not None
    assert row.id == first
    run_jobs(store)
    store.write_now(lambda tx: tx.outbox.retry(first, now))
    assert len(jobs(store)) == 1
    run_jobs(store)
    store.write_now(lambda tx: tx.outbox.fail(first, "dead", code="c", error="e", fix="f"))
    assert jobs(store) == []
    store.write_now(lambda tx: operations.retry(tx, first, now))
    assert len(jobs(store)) == 1
    run_jobs(store)
    store.write_now(lambda tx: tx.outbox.discard(first, "test"))
    assert jobs(store) == [f"{lane}|agency"]


def test_a_lane_whose_work_was_rolled_back_has_no_job(store: Store) -> None:
    def work(tx: Transaction) -> None:
        add(tx, new_id(), 0)
        raise ValueError("the work failed")

    with pytest.raises(ValueError, match="failed"):
        store.write_now(work)
    assert jobs(store) == []


def test_the_sweep_gives_a_due_lane_the_job_that_it_lacks(store: Store) -> None:
    now = datetime.now(UTC)
    fill(store, 3, 1)
    run_jobs(store)
    assert store.read_now(lambda tx: lacking(tx, now + timedelta(seconds=5))) == 3
    (finding,) = [each for each in check(store) if each.name == "jobs"]
    assert finding.state == "ok"  # not yet: a worker may be about to sweep
    swept = store.write_now(lambda tx: sweep(tx, now + timedelta(seconds=5), now))
    assert swept.enqueued == 3
    assert len(jobs(store)) == 3
    assert store.read_now(lambda tx: lacking(tx, now + timedelta(seconds=5))) == 0


def test_the_sweep_frees_what_no_job_is_sending(store: Store) -> None:
    (lane,) = fill(store, 1, 1)
    now = datetime.now(UTC)
    store.write_now(lambda tx: tx.outbox.claim_lane((lane, "agency"), now))
    run_jobs(store)
    young = store.write_now(lambda tx: sweep(tx, now, now))
    assert young.released == 0
    swept = store.write_now(lambda tx: sweep(tx, now, now + timedelta(seconds=1)))
    assert swept.released == 1
    assert len(jobs(store)) == 1


def jobs(store: Store) -> list[str]:
    connection = store.dialect.connect(writer=False)
    try:
        rows = connection.execute("SELECT lock FROM procrastinate_jobs WHERE status = 'todo'")
        return [row[0] for row in rows.fetchall()]
    finally:
        connection.close()


def run_jobs(store: Store) -> None:
    """As if workers had done every job that waits."""
    connection = store.dialect.connect(writer=True)
    connection.execute("DELETE FROM procrastinate_jobs")
    connection.close()
