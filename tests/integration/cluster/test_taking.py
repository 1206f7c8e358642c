"""A job is taken with its delivery and ended with what became of it, or neither of them is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapter.exchange.taking import Taken, give_back, take
from adapter.store import taken_jobs
from adapter.store.ids import new_id
from adapter.store.outbox_row import Lane
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.store.work import ORGANIZATION

SITE = "agency"


def fill(store: Store, lanes: int, destination: str = SITE) -> list[str]:
    names = [new_id() for _ in range(lanes)]
    for name in names:
        store.write_now(
            lambda tx, name=name: tx.outbox.add(  # type: ignore[misc]
                organization=ORGANIZATION, referral=name, destination=destination, event="0",
                kind="", document={}, test=True,
            )
        )  # fmt: skip
    return names


def worker(store: Store) -> int:
    (row,) = asked(store, "SELECT worker_id FROM procrastinate_register_worker_v1()")
    number: int = row[0]
    return number


def asked(store: Store, question: str) -> list[tuple[object, ...]]:
    connection = store.dialect.connect(writer=True)
    try:
        found: list[tuple[object, ...]] = connection.execute(question).fetchall()
        return found
    finally:
        connection.close()


def jobs(store: Store) -> list[tuple[object, ...]]:
    return asked(store, "SELECT status, worker_id FROM procrastinate_jobs ORDER BY id")


def states(store: Store) -> list[tuple[str, int]]:
    rows = store.read_now(lambda tx: tx.outbox.list())
    return [(row.state, row.attempts) for row in rows]


def taken_by(
    store: Store, number: int, most: int, under_way: tuple[Lane, ...] = ()
) -> tuple[list[Taken], bool]:
    now = datetime.now(UTC)
    return store.write_now(lambda tx: take(tx, number, [SITE], most, now=now, under_way=under_way))


def test_the_oldest_are_taken_and_each_is_being_sent_then(store: Store) -> None:
    lanes = fill(store, 3)
    me = worker(store)
    taken, more = taken_by(store, me, 2)
    assert more
    assert [each.row.referral for each in taken if each.row] == lanes[:2]
    assert jobs(store) == [("doing", me), ("doing", me), ("todo", None)]
    assert states(store) == [("sending", 1), ("sending", 1), ("due", 0)]
    rest, _ = taken_by(store, me, 2)
    assert [each.row.referral for each in rest if each.row] == lanes[2:]
    assert taken_by(store, me, 2) == ([], False)


def test_what_waits_for_other_sites_is_left(store: Store) -> None:
    fill(store, 2, "other")
    assert taken_by(store, worker(store), 8) == ([], False)


def test_a_job_and_its_claim_are_kept_together_or_not_at_all(store: Store) -> None:
    fill(store, 1)
    me, now = worker(store), datetime.now(UTC)

    def work(tx: Transaction) -> None:
        assert take(tx, me, [SITE], 1, now=now, under_way=())[0]
        raise ValueError("the work failed")

    with pytest.raises(ValueError, match="failed"):
        store.write_now(work)
    assert jobs(store) == [("todo", None)]
    assert states(store) == [("due", 0)]


def test_a_job_whose_lane_has_nothing_to_carry_is_over(store: Store) -> None:
    fill(store, 1)
    (row,) = store.read_now(lambda tx: tx.outbox.list())
    store.write_now(lambda tx: tx.outbox.discard(row.id, "test"))
    assert jobs(store) == [("todo", None)]
    assert taken_by(store, worker(store), 1) == ([], True)
    assert jobs(store) == []


def test_a_lane_that_this_process_is_in_is_taken_without_its_delivery(store: Store) -> None:
    (lane,) = fill(store, 1)
    (taken,), _ = taken_by(store, worker(store), 1, ((lane, SITE),))
    assert taken.row is None
    assert states(store) == [("due", 0)]


def test_nothing_is_taken_for_a_site_that_is_held(store: Store) -> None:
    fill(store, 3)
    store.write_now(lambda tx: tx.sites.set(SITE, "paused", organization=ORGANIZATION))
    assert taken_by(store, worker(store), 3) == ([], True)
    assert jobs(store) == []
    assert states(store) == [("waiting", 0)] * 3


def test_a_site_that_does_not_let_us_in_is_tried_with_one(store: Store) -> None:
    fill(store, 3)
    store.write_now(lambda tx: tx.sites.set(SITE, "auth-required", organization=ORGANIZATION))
    later = datetime.now(UTC) + timedelta(hours=2)
    me = worker(store)
    taken, _ = store.write_now(lambda tx: take(tx, me, [SITE], 3, now=later, under_way=()))
    assert len(taken) == 1
    assert sorted(states(store)) == [("sending", 1), ("waiting", 0), ("waiting", 0)]


def test_what_is_given_back_is_due_again_and_was_not_attempted(store: Store) -> None:
    fill(store, 2)
    taken, _ = taken_by(store, worker(store), 2)
    store.write_now(lambda tx: give_back(tx, taken))
    assert states(store) == [("due", 0)] * 2
    assert jobs(store) == [("todo", None)] * 2


def test_only_the_worker_that_has_a_job_ends_it(store: Store) -> None:
    fill(store, 1)
    me, other = worker(store), worker(store)
    (taken,), _ = taken_by(store, me, 1)
    asked(store, f"UPDATE procrastinate_jobs SET worker_id = {other} RETURNING 1")
    store.write_now(lambda tx: taken_jobs.end(tx, taken.job))
    assert jobs(store) == [("doing", other)]


def test_a_transaction_says_once_that_there_are_jobs(store: Store) -> None:
    connection = store.dialect.connect(writer=False)
    try:
        connection.execute(f'LISTEN "procrastinate_queue_v1#{SITE}"')
        store.write_now(
            lambda tx: [
                tx.outbox.add(
                    organization=ORGANIZATION, referral=new_id(), destination=SITE, event="0",
                    kind="", document={}, test=True,
                )
                for _ in range(5)
            ]
        )  # fmt: skip
        said = list(connection.notifies(timeout=1.0))
        assert len(said) == 1
    finally:
        connection.close()
    assert len(jobs(store)) == 5
