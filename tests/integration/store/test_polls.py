"""The leases and cursors of sites that are asked for news, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapter.security.keyring import Keyring
from adapter.store.errors import StoreError
from adapter.store.store import Store
from tests.integration.store.conftest import Clock

LEASE = timedelta(seconds=30)


def begin(store: Store, clock: Clock) -> None:
    store.write_now(lambda tx: tx.polls.begin("north", organization="clinic", next_at=clock()))


def claim(store: Store, clock: Clock) -> bool:
    now = clock()
    row = store.write_now(lambda tx: tx.polls.claim("north", now=now, until=now + LEASE))
    return row is not None


def keep(store: Store, clock: Clock, cursor: str) -> None:
    until = clock() + LEASE
    store.write_now(lambda tx: tx.polls.keep("north", cursor, organization="clinic", until=until))


def cursor_of(store: Store) -> str | None:
    row = store.read_now(lambda tx: tx.polls.get("north"))
    assert row is not None
    return row.cursor


@pytest.fixture
def other(store: Store, address: str, keyring: Keyring, clock: Clock):
    opened = Store.open(address, keyring, clock=clock)
    yield opened
    opened.close()


def test_a_site_is_claimed_by_one_process_at_a_time(
    store: Store, other: Store, clock: Clock
) -> None:
    begin(store, clock)
    assert [claim(store, clock), claim(other, clock), claim(store, clock)] == [True, False, True]

    store.write_now(lambda tx: tx.polls.leave("north"))
    assert claim(other, clock)


def test_a_lease_that_ran_out_is_taken_over_and_its_old_holder_moves_no_cursor(
    store: Store, other: Store, clock: Clock
) -> None:
    begin(store, clock)
    assert claim(store, clock)
    keep(store, clock, "1")
    clock.advance(seconds=31)
    assert claim(other, clock)

    with pytest.raises(StoreError) as raised:
        keep(store, clock, "2")
    assert raised.value.code == "poll.lease-lost"
    with pytest.raises(StoreError):
        store.write_now(lambda tx: tx.polls.hold("north", until=clock()))
    keep(other, clock, "3")
    assert cursor_of(store) == "3"


def test_a_site_is_not_claimed_before_it_is_due_unless_somebody_says_so(
    store: Store, clock: Clock
) -> None:
    begin(store, clock)
    assert claim(store, clock)
    now = clock()
    later = now + timedelta(seconds=60)
    store.write_now(lambda tx: tx.polls.done("north", now=now, next_at=later))
    assert not claim(store, clock)

    assert store.write_now(lambda tx: tx.polls.due("north", now=now))
    assert claim(store, clock)


def test_failures_are_counted_until_it_goes_well_and_a_stop_is_kept(
    store: Store, clock: Clock
) -> None:
    begin(store, clock)
    for tries in (1, 2):
        assert claim(store, clock)
        now = clock()
        store.write_now(
            lambda tx, now=now: tx.polls.failed(
                "north", next_at=now, code="http.busy", error="busy", fix="wait"
            )
        )
        row = store.read_now(lambda tx: tx.polls.list())[0]
        assert (row.tries, row.code, row.error, row.fix) == (tries, "http.busy", "busy", "wait")
    assert claim(store, clock)
    store.write_now(
        lambda tx: tx.polls.failed("north", next_at=None, code="http.gone", error="gone", fix="")
    )
    clock.advance(days=400)
    assert not claim(store, clock)


def test_a_cursor_is_not_in_the_database_in_clear(store: Store, clock: Clock, address: str) -> None:
    begin(store, clock)
    assert claim(store, clock)
    keep(store, clock, "PLANTED-CURSOR")
    assert cursor_of(store) == "PLANTED-CURSOR"
    connection = store.dialect.connect(writer=False)
    sealed = connection.execute("SELECT cursor_sealed FROM polls").fetchone()[0]
    connection.close()
    assert b"PLANTED" not in bytes(sealed)
