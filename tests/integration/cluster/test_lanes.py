"""Several worker processes on one PostgreSQL: nothing lost, nothing twice, each lane in order."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from adapter.exchange import operations
from adapter.exchange.lane_workers import STALLED_SECONDS
from adapter.security.keyring import Keyring
from adapter.store.check import check, open_lanes
from adapter.store.ids import new_id
from adapter.store.lane_jobs import TAKE_OVER, lacking, sweep
from adapter.store.outbox_row import OutboxRow
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


def test_who_looks_after_the_jobs_takes_those_of_a_dead_worker_at_once_and_no_others(
    store: Store, start: Start, effects: Path
) -> None:
    fill(store, 4, 1)
    doomed = start(60.0)
    until(lambda: len(claimed(store)) == 4)
    address = store.dialect.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as watching:

        def taken_over(gone: float) -> int:
            ages = {"gone": timedelta(seconds=gone), "stalled": timedelta(hours=1)}
            return len(watching.execute(TAKE_OVER, ages).fetchall())

        time.sleep(0.2)
        assert taken_over(0.0) == 0  # it lives, however old its heartbeat is
        os.kill(doomed.pid, signal.SIGKILL)
        doomed.wait()
        until(lambda: taken_over(0.0) == 4, patience=5.0)
        assert taken_over(0.0) == 0
    assert len(jobs(store)) == 4


def test_a_worker_that_hangs_is_taken_for_dead_by_its_heartbeat(
    store: Store, start: Start, effects: Path
) -> None:
    lanes = fill(store, 4, 1)
    hung = start(2.0)
    until(lambda: len(claimed(store)) == 4)
    hung.send_signal(signal.SIGSTOP)
    start(0.01)
    assert until(lambda: settled(store)) < 10 + STALLED_SECONDS
    assert {lane for lane, *_ in lines(effects)} == set(lanes)
    hung.send_signal(signal.SIGCONT)


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


def close_head(tx: Transaction, lane: str, first: str) -> None:
    tx.outbox.delivered(first, {}, datetime.now(UTC))


def discard_second(tx: Transaction, lane: str, second: str) -> None:
    tx.outbox.discard(second, "test")


def one_more(tx: Transaction, lane: str, _: str) -> None:
    add(tx, lane, 9)


RACES = {
    "a new row while the head is delivered": (1, close_head, one_more),
    "the head is delivered while a row is new": (1, one_more, close_head),
    "a row behind is discarded while the head is delivered": (3, close_head, discard_second),
    "the head is delivered while a row behind is discarded": (3, discard_second, close_head),
    "a new row while the last but the head is discarded": (2, discard_second, one_more),
}


@pytest.mark.parametrize("race", RACES)
def test_a_lane_goes_on_whatever_two_writers_do_to_it_at_once(
    store: Store, address: str, keyring: Keyring, race: str
) -> None:
    deep, one, two = RACES[race]
    (lane,) = fill(store, 1, deep)
    rows = [row.id for row in store.read_now(lambda tx: tx.outbox.list())]
    store.write_now(lambda tx: tx.outbox.claim_lane((lane, "agency"), datetime.now(UTC)))
    given = {close_head: rows[0], discard_second: rows[min(1, deep - 1)], one_more: ""}
    begun, may_end = threading.Event(), threading.Event()

    def slowly(tx: Transaction) -> None:
        one(tx, lane, given[one])
        begun.set()
        assert may_end.wait(10)

    other = Store.open(address, keyring)
    try:
        with ThreadPoolExecutor() as pool:
            first = pool.submit(store.write_now, slowly)
            assert begun.wait(10)
            second = pool.submit(other.write_now, lambda tx: two(tx, lane, given[two]))
            time.sleep(0.2)  # the second has asked, and waits for the first or is done
            may_end.set()
            first.result(10)
            second.result(10)
        while any(row.state in ("due", "sending", "waiting") for row in listed(store)):
            row = store.write_now(
                lambda tx: tx.outbox.claim_lane((lane, "agency"), datetime.now(UTC))
            )
            assert row is not None, f"the lane has stopped: {listed(store)}"
            store.write_now(lambda tx, head=row.id: close_head(tx, lane, head))  # type: ignore[misc]
    finally:
        other.close()
    assert {row.state for row in listed(store)} <= {"delivered", "discarded"}


def listed(store: Store) -> list[OutboxRow]:
    return store.read_now(lambda tx: tx.outbox.list())


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


def test_who_has_a_lock_is_found_by_it_and_jobs_that_wait_write_no_diary(store: Store) -> None:
    fill(store, lanes=5, deep=1)
    address = store.dialect.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        ask = (
            "SELECT indexdef FROM pg_indexes WHERE indexname = 'procrastinate_jobs_id_lock_idx_v1'"
        )
        (made,) = connection.execute(ask).fetchall()
        assert "(lock, id)" in made[0]
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (5,)
        assert connection.execute("SELECT count(*) FROM procrastinate_events").fetchone() == (0,)
