"""What directories list is kept as a whole, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapter.store.directories import ProgramRow
from adapter.store.errors import StoreError
from adapter.store.store import Store
from tests.integration.store.conftest import Clock

LEASE = timedelta(seconds=30)


def row(id: str, capacity: str | None = None) -> ProgramRow:
    room = {"status": capacity} if capacity else None
    return ProgramRow(id=id, listing={"id": id, "name": {"fr": "Été"}}, capacity=room)


def begin(store: Store, clock: Clock) -> bool:
    now = clock()
    store.write_now(lambda tx: tx.directories.begin("dir", organization="hub", next_at=now))
    found = store.write_now(lambda tx: tx.directories.claim("dir", now=now, until=now + LEASE))
    return found is not None


def keep(store: Store, clock: Clock, *rows: ProgramRow) -> None:
    now = clock()
    store.write_now(
        lambda tx: tx.directories.keep(
            "dir", rows, organization="hub", listed_at=now, reported_at=None,
            left_out=[{"program": "s9", "why": "name: too long"}], until=now + LEASE,
        )
    )  # fmt: skip


def test_a_list_takes_the_place_of_the_one_before_it_and_keeps_its_order(
    store: Store, clock: Clock
) -> None:
    assert begin(store, clock)
    keep(store, clock, row("b", "full"), row("a"))
    first = store.read_now(lambda tx: tx.directories.programs("dir"))
    assert [(each.id, each.capacity) for each in first] == [("b", {"status": "full"}), ("a", None)]
    assert first[0].listing == {"id": "b", "name": {"fr": "Été"}}

    keep(store, clock, row("a", "open"))
    second = store.read_now(lambda tx: tx.directories.programs("dir"))
    assert [each.id for each in second] == ["a"]
    found = store.read_now(lambda tx: tx.directories.get("dir"))
    assert found is not None
    assert (found.revision, found.listed_at, found.reported_at) == (2, clock(), None)
    assert found.left_out == [{"program": "s9", "why": "name: too long"}]


def test_who_lost_the_lease_writes_no_list(store: Store, clock: Clock) -> None:
    assert begin(store, clock)
    keep(store, clock, row("a"))
    store.write_now(lambda tx: tx.directories.leave("dir"))
    with pytest.raises(StoreError) as raised:
        keep(store, clock, row("b"), row("c"))
    assert raised.value.code == "poll.lease-lost"
    assert [e.id for e in store.read_now(lambda tx: tx.directories.programs("dir"))] == ["a"]


def test_a_failure_is_told_beside_the_list_that_stands(store: Store, clock: Clock) -> None:
    assert begin(store, clock)
    keep(store, clock, row("a"))
    later = clock() + timedelta(minutes=5)
    store.write_now(
        lambda tx: tx.directories.failed("dir", next_at=later, code="x.y", error="why", fix="fix")
    )
    (found,) = store.read_now(lambda tx: tx.directories.list())
    assert (found.code, found.error, found.tries, found.next_at) == ("x.y", "why", 1, later)
    assert len(store.read_now(lambda tx: tx.directories.programs("dir"))) == 1
    assert not begin(store, clock)
    clock.advance(seconds=301)
    assert begin(store, clock)
    store.write_now(lambda tx: tx.directories.done("dir", now=clock(), next_at=later))
    (found,) = store.read_now(lambda tx: tx.directories.list())
    assert (found.code, found.tries, found.polled_at) == (None, 0, clock())
