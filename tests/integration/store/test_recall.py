"""A clock that was ahead and is set right leaves nothing waiting for a time that never was."""

from __future__ import annotations

from datetime import timedelta

from adapter.store.outbox_row import OutboxRow
from adapter.store.store import Store
from tests.integration.store.conftest import Clock
from tests.integration.store.work import ORGANIZATION, open_case, queue


def due(store: Store, clock: Clock) -> list[OutboxRow]:
    return [r for r in store.read_now(lambda tx: tx.outbox.list()) if r.next_at <= clock()]


def test_what_was_queued_in_the_future_is_due_when_the_clock_is_set_right(
    store: Store, clock: Clock
) -> None:
    clock.advance(days=4000)
    row = store.write_now(lambda tx: queue(tx, open_case(tx)))
    clock.advance(days=-4000)
    assert due(store, clock) == []
    assert store.write_now(lambda tx: tx.outbox.recall(clock(), clock())) == 1
    assert [each.id for each in store.write_now(lambda tx: tx.outbox.claim_due(clock(), 9))] == [
        row
    ]


def test_a_next_try_beyond_the_horizon_is_due_and_one_before_it_waits(
    store: Store, clock: Clock
) -> None:
    for hours in (20, 50):
        store.write_now(lambda tx: queue(tx, open_case(tx)))
        (row,) = store.write_now(lambda tx: tx.outbox.claim_due(clock(), 9))
        at = clock() + timedelta(hours=hours)
        store.write_now(lambda tx, i=row.id, at=at: tx.outbox.retry(i, at))
    horizon = clock() + timedelta(hours=30)
    assert store.write_now(lambda tx: tx.outbox.recall(clock(), horizon)) == 1
    assert len(due(store, clock)) == 1


def test_what_was_meant_for_later_stays(store: Store, clock: Clock) -> None:
    later = clock() + timedelta(days=90)
    store.write_now(
        lambda tx: tx.outbox.add(
            organization=ORGANIZATION, referral=open_case(tx), destination="agency",
            event="request", kind="", document={}, not_before=later,
        )
    )  # fmt: skip
    assert store.write_now(lambda tx: tx.outbox.recall(clock(), clock())) == 0
