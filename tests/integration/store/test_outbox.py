from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.exchange.operations import retry
from adapter.plugin.errors import DataError
from adapter.security.keyring import Keyring
from adapter.store.errors import StoreError
from adapter.store.ids import new_id
from adapter.store.outbox_row import OutboxRow
from adapter.store.store import Store
from tests.integration.store.conftest import Clock
from tests.integration.store.work import open_case, queue


def claim(store: Store, clock: Clock, limit: int = 10) -> list[OutboxRow]:
    return store.write_now(lambda tx: tx.outbox.claim_due(clock(), limit))


def states(store: Store) -> list[str]:
    return [row.state for row in store.read_now(lambda tx: tx.outbox.list())]


def test_a_delivery_is_claimed_once_with_its_document(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    made = store.write_now(lambda tx: queue(tx, referral))
    (row,) = claim(store, clock)
    assert (row.id, row.lane, row.document, row.notice, row.attempts, row.state) == (
        made, (referral, "agency"), {"event": "request"}, {"reference": "rx-1"}, 1, "sending",
    )  # fmt: skip
    assert claim(store, clock) == []


def test_a_lane_delivers_in_order(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    made = [store.write_now(lambda tx, e=e: queue(tx, referral, event=e)) for e in "abc"]
    for expected in made:
        (row,) = claim(store, clock)
        assert row.id == expected
        assert claim(store, clock) == []
        store.write_now(lambda tx, row=row: tx.outbox.delivered(row.id, {}, clock()))
    assert states(store) == ["delivered"] * 3


def test_lanes_do_not_wait_for_each_other(store: Store, clock: Clock) -> None:
    one, two = store.write_now(open_case), store.write_now(open_case)
    for referral, destination in ((one, "a"), (one, "b"), (two, "a")):
        store.write_now(lambda tx, r=referral, d=destination: queue(tx, r, d))
    assert {row.lane for row in claim(store, clock)} == {(one, "a"), (one, "b"), (two, "a")}


def test_what_was_not_tried_yet_is_not_tried_again(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    first, behind = (store.write_now(lambda tx, e=e: queue(tx, referral, event=e)) for e in "ab")
    with pytest.raises(DataError) as refused:
        store.write_now(lambda tx: retry(tx, behind, clock()))
    assert refused.value.code == "delivery.not-tried"
    assert first in refused.value.fix
    assert [row.id for row in claim(store, clock)] == [first]


@pytest.mark.parametrize("state", ["dead", "quarantined"])
def test_a_given_up_delivery_holds_its_own_lane_only(
    store: Store, clock: Clock, state: str
) -> None:
    one, two = store.write_now(open_case), store.write_now(open_case)
    for referral in (one, one, two):
        store.write_now(lambda tx, r=referral: queue(tx, r))
    poison = next(row for row in claim(store, clock) if row.referral == one)
    store.write_now(
        lambda tx: tx.outbox.fail(poison.id, state, code="c", error="e", fix="f")  # type: ignore[arg-type]
    )
    assert claim(store, clock) == []
    assert sorted(states(store)) == sorted([state, "waiting", "sending"])
    store.write_now(lambda tx: tx.outbox.discard(poison.id, "wrong agency"))
    (after,) = claim(store, clock)
    assert after.referral == one
    kept = store.read_now(lambda tx: tx.outbox.get(poison.id))
    assert kept is not None
    assert (kept.state, kept.reason) == ("discarded", "wrong agency")


def test_a_retry_waits_for_its_time_and_keeps_its_place(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    first, _ = (store.write_now(lambda tx, e=e: queue(tx, referral, event=e)) for e in "ab")
    (row,) = claim(store, clock)
    later = clock() + timedelta(seconds=5)
    store.write_now(lambda tx: tx.outbox.retry(row.id, later, code="c", error="e", fix="f"))
    assert claim(store, clock) == []
    assert states(store) == ["waiting", "waiting"]
    assert store.read_now(lambda tx: tx.outbox.next_due()) == later
    clock.advance(seconds=5)
    (again,) = claim(store, clock)
    assert (again.id, again.attempts, again.error) == (first, 2, "e")


def test_a_dead_delivery_can_be_tried_again(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    made = store.write_now(lambda tx: queue(tx, referral))
    claim(store, clock)
    store.write_now(lambda tx: tx.outbox.fail(made, "dead", code="c", error="e", fix="f"))
    store.write_now(lambda tx: tx.outbox.retry(made, clock()))
    assert [row.id for row in claim(store, clock)] == [made]


def test_a_retry_says_how_many_attempts_count_from_now_on(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    made = store.write_now(lambda tx: queue(tx, referral))
    for wanted in (None, None, 1, None):
        (row,) = claim(store, clock)
        store.write_now(lambda tx, n=wanted: tx.outbox.retry(made, clock(), tries=n))
    (row,) = claim(store, clock)
    assert row.attempts == 3


def test_who_is_hastened_counts_as_tried_once_and_who_was_not_tried_as_never(
    store: Store, clock: Clock
) -> None:
    later = clock() + timedelta(hours=1)
    tried = store.write_now(lambda tx: queue(tx, open_case(tx)))
    for _ in range(5):
        claim(store, clock)
        store.write_now(lambda tx: tx.outbox.retry(tried, clock()))
    claim(store, clock)
    store.write_now(lambda tx: tx.outbox.retry(tried, later))
    fresh = store.write_now(
        lambda tx: tx.outbox.add(
            organization="o", referral=open_case(tx), destination="agency", event="request",
            kind="", document={}, not_before=later,
        )
    )  # fmt: skip
    assert store.write_now(lambda tx: tx.outbox.hasten("agency", clock())) == 2
    assert {row.id: row.attempts for row in claim(store, clock)} == {tried: 2, fresh: 1}


def test_a_delivery_is_not_due_before_its_time(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    at = clock() + timedelta(minutes=1)
    store.write_now(
        lambda tx: tx.outbox.add(
            organization="o",
            referral=referral,
            destination="a",
            event="request",
            kind="",
            document={},
            not_before=at,
        )
    )
    assert claim(store, clock) == []
    clock.advance(minutes=1)
    assert len(claim(store, clock)) == 1


def test_external_ids_are_kept(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    made = store.write_now(lambda tx: queue(tx, referral))
    claim(store, clock)
    store.write_now(lambda tx: tx.outbox.delivered(made, {"Task": "9"}, clock()))
    kept = store.read_now(lambda tx: tx.outbox.get(made))
    assert kept is not None
    assert (kept.external_ids, kept.done_at) == ({"Task": "9"}, clock())


@pytest.mark.parametrize("step", ["delivered", "retry", "discard", "fail"])
def test_what_is_delivered_stays_delivered(store: Store, clock: Clock, step: str) -> None:
    referral = store.write_now(open_case)
    made = store.write_now(lambda tx: queue(tx, referral))
    claim(store, clock)
    store.write_now(lambda tx: tx.outbox.delivered(made, {}, clock()))
    with pytest.raises(StoreError, match="missing"):
        store.write_now(
            lambda tx: {
                "delivered": lambda: tx.outbox.delivered(made, {}, clock()),
                "retry": lambda: tx.outbox.retry(made, clock()),
                "discard": lambda: tx.outbox.discard(made, "x"),
                "fail": lambda: tx.outbox.fail(made, "dead", code="c", error="e", fix="f"),
            }[step]()
        )
    assert states(store) == ["delivered"]


def test_what_is_being_sent_cannot_be_discarded(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    made = store.write_now(lambda tx: queue(tx, referral))
    claim(store, clock)
    with pytest.raises(StoreError, match="missing"):
        store.write_now(lambda tx: tx.outbox.discard(made, "x"))


def test_claims_of_a_dead_process_are_released(store: Store, clock: Clock) -> None:
    referral = store.write_now(open_case)
    made = store.write_now(lambda tx: queue(tx, referral))
    claim(store, clock)
    assert store.write_now(lambda tx: tx.outbox.release_claims(worker="another")) == 0
    assert store.write_now(lambda tx: tx.outbox.release_claims(claimed_before=clock())) == 0
    assert store.write_now(lambda tx: tx.outbox.release_claims()) == 1
    (row,) = claim(store, clock)
    assert (row.id, row.attempts) == (made, 2)


def test_a_long_queue_for_one_destination_starves_no_other(store: Store, clock: Clock) -> None:
    for _ in range(20):
        store.write_now(lambda tx: queue(tx, open_case(tx), "busy"))
    clock.advance(seconds=1)
    store.write_now(lambda tx: queue(tx, open_case(tx), "quiet"))
    claimed = [row.destination for row in claim(store, clock, 4)]
    assert claimed.count("quiet") == 1
    assert len(claimed) in (3, 4)


def test_excluded_lanes_and_destinations_stay_due(store: Store, clock: Clock) -> None:
    one, two = store.write_now(open_case), store.write_now(open_case)
    for referral, destination in ((one, "a"), (two, "a"), (two, "b")):
        store.write_now(lambda tx, r=referral, d=destination: queue(tx, r, d))
    claimed = store.write_now(
        lambda tx: tx.outbox.claim_due(clock(), 10, {(one, "a")}, exclude_destinations={"b"})
    )
    assert [row.lane for row in claimed] == [(two, "a")]
    assert sorted(states(store)) == ["due", "due", "sending"]


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.sampled_from(["add", "claim", "deliver", "retry", "fail", "discard", "release"]),
        max_size=30,
    )
)
def test_no_history_breaks_the_order_of_a_lane(
    store: Store, clock: Clock, steps: list[str]
) -> None:
    lane = new_id()
    delivered: list[int] = []
    sending: OutboxRow | None = None
    for step in steps:
        if step == "add":
            store.write_now(lambda tx: queue(tx, lane))
        elif step == "claim":
            found = [row for row in claim(store, clock, 1000) if row.referral == lane]
            assert len(found) <= 1
            assert not (found and sending)
            sending = found[0] if found else sending
        elif step == "release":
            store.write_now(lambda tx: tx.outbox.release_claims())
            sending = None
        elif step == "discard":
            dead = [
                row
                for row in store.read_now(lambda tx: tx.outbox.list(referral=lane))
                if row.state in ("dead", "due")
            ]
            if dead:
                store.write_now(lambda tx, row=dead[0]: tx.outbox.discard(row.id, "test"))
        elif sending:
            row, sending = sending, None
            if step == "deliver":
                store.write_now(lambda tx, row=row: tx.outbox.delivered(row.id, {}, clock()))
                delivered.append(row.lane_sequence)
            elif step == "retry":
                store.write_now(lambda tx, row=row: tx.outbox.retry(row.id, clock()))
            else:
                store.write_now(
                    lambda tx, row=row: tx.outbox.fail(row.id, "dead", code="c", error="e", fix="f")
                )
    assert delivered == sorted(set(delivered))
    rows = store.read_now(lambda tx: tx.outbox.list(referral=lane))
    open_rows = [row for row in rows if row.state not in ("delivered", "discarded")]
    assert all(row.state == "waiting" for row in open_rows[1:])


def test_a_sqlite_store_has_one_process_that_delivers_and_postgresql_any_number(
    store: Store, address: str, keyring: Keyring
) -> None:
    store.hold()
    store.hold()
    second = Store.open(address, keyring)
    try:
        if store.shared:
            second.hold()
            return
        with pytest.raises(StoreError) as caught:
            second.hold()
        assert caught.value.code == "store.in-use"
        store.close()
        second.hold()
    finally:
        second.close()
