from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from adapter.store import failpoints
from adapter.store.errors import RaceError, StoreError, StoreFault
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.store.conftest import Clock
from tests.integration.store.work import ORGANIZATION, receive


@pytest.fixture
def passed() -> Iterator[list[str]]:
    """The failpoints passed, in order."""
    seen: list[str] = []
    failpoints.arm(seen.append)
    yield seen
    failpoints.arm(None)


async def hold(store: Store) -> tuple[threading.Event, asyncio.Task[None]]:
    """Keep the writer busy with one work, so that what comes next is one batch."""
    started, go = threading.Event(), threading.Event()

    def busy(tx: Transaction) -> None:
        started.set()
        go.wait(10)

    task = asyncio.ensure_future(store.write(busy))
    await asyncio.to_thread(started.wait, 10)
    return go, task


def test_concurrent_works_share_one_commit(store: Store, passed: list[str]) -> None:
    async def main() -> list[str]:
        go, held = await hold(store)
        works = [
            asyncio.ensure_future(store.write(lambda tx, k=str(k): receive(tx, k)))
            for k in range(20)
        ]
        await asyncio.sleep(0)
        passed.clear()
        go.set()
        await held
        return [row.id for row in await asyncio.gather(*works)]

    ids = asyncio.run(main())
    assert passed.count("store.before-commit") == 2  # the one that was held, and all the others
    assert [row.id for row in store.read_now(lambda tx: tx.inbox.list())] == ids
    assert store.read_now(lambda tx: tx.journal.verify()) == []
    assert len(store.read_now(lambda tx: tx.journal.after(0, 99))) == 20


def test_a_work_that_fails_is_undone_alone(store: Store) -> None:
    def fails(tx: Transaction) -> None:
        receive(tx, "bad")
        raise ValueError("on purpose")

    async def main() -> list[object]:
        go, held = await hold(store)
        works = [
            asyncio.ensure_future(store.write(lambda tx: receive(tx, "1").key)),
            asyncio.ensure_future(store.write(fails)),
            asyncio.ensure_future(store.write(lambda tx: receive(tx, "2").key)),
        ]
        await asyncio.sleep(0)
        go.set()
        await held
        return list(await asyncio.gather(*works, return_exceptions=True))

    first, second, third = asyncio.run(main())
    assert (first, third) == ("1", "2")
    assert isinstance(second, ValueError)
    assert [row.key for row in store.read_now(lambda tx: tx.inbox.list())] == ["1", "2"]
    assert len(store.read_now(lambda tx: tx.journal.after(0, 9))) == 2


def test_a_batch_pays_for_savepoints_only_where_one_of_it_fails(
    store: Store, passed: list[str]
) -> None:
    async def batch(*more: str) -> None:
        go, held = await hold(store)
        works = [
            asyncio.ensure_future(store.write(lambda tx, k=key: receive(tx, k)))
            for key in ("1", "2", *more)
        ]
        await asyncio.sleep(0)
        passed.clear()
        go.set()
        await held
        await asyncio.gather(*works, return_exceptions=True)

    asyncio.run(batch())
    assert not any("SAVEPOINT" in each for each in passed)
    asyncio.run(batch("3"))  # "1" and "2" were used before
    assert sum(":SAVEPOINT" in each for each in passed) == 3
    assert [row.key for row in store.read_now(lambda tx: tx.inbox.list())] == ["1", "2", "3"]


def test_a_work_that_fails_alone_leaves_nothing(store: Store) -> None:
    def fails(tx: Transaction) -> None:
        receive(tx, "bad")
        raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        store.write_now(fails)
    assert store.read_now(lambda tx: tx.inbox.list()) == []
    store.write_now(lambda tx: receive(tx, "good"))
    assert store.read_now(lambda tx: tx.journal.verify()) == []


def test_a_data_key_of_an_undone_work_is_never_used(store: Store) -> None:
    def seals(tx: Transaction, *, fail: bool) -> None:
        tx.resources.put("Task", "1", organization="new", content={"a": 1})
        if fail:
            raise ValueError("on purpose")

    with pytest.raises(ValueError, match="on purpose"):
        store.write_now(lambda tx: seals(tx, fail=True))
    store.write_now(lambda tx: seals(tx, fail=False))
    store.keys.forget()
    row = store.read_now(lambda tx: tx.resources.get("Task", "1"))
    assert row is not None
    assert row.content == {"a": 1}


def test_nobody_is_told_before_the_commit(store: Store) -> None:
    reached, go = threading.Event(), threading.Event()

    def wait(name: str) -> None:
        if name == "store.before-commit":
            reached.set()
            go.wait(10)

    async def main() -> None:
        failpoints.arm(wait)
        try:
            told = asyncio.ensure_future(store.write(lambda tx: receive(tx, "1")))
            await asyncio.to_thread(reached.wait, 10)
            await asyncio.sleep(0.05)
            assert not told.done()
            assert store.read_now(lambda tx: tx.inbox.list()) == []
            go.set()
            await told
            assert len(store.read_now(lambda tx: tx.inbox.list())) == 1
        finally:
            failpoints.arm(None)

    asyncio.run(main())


def test_a_caller_that_went_away_disturbs_nobody(store: Store) -> None:
    async def main() -> None:
        go, held = await hold(store)
        gone = asyncio.ensure_future(store.write(lambda tx: receive(tx, "gone")))
        stays = asyncio.ensure_future(store.write(lambda tx: receive(tx, "stays").key))
        await asyncio.sleep(0)
        gone.cancel()
        go.set()
        await held
        assert await stays == "stays"

    asyncio.run(main())


def test_a_work_that_met_another_writer_runs_again(store: Store) -> None:
    runs: list[int] = []

    def race(tx: Transaction) -> str:
        receive(tx, "1")
        runs.append(1)
        if len(runs) < 3:
            raise RaceError("store.race", "Two writers met.")
        return "done"

    assert store.write_now(race) == "done"
    assert len(runs) == 3
    assert len(store.read_now(lambda tx: tx.inbox.list())) == 1


def test_a_race_that_never_ends_is_an_error(store: Store) -> None:
    def race(tx: Transaction) -> None:
        raise RaceError("store.race", "Two writers met.")

    with pytest.raises(RaceError):
        store.write_now(race)


def test_two_processes_accept_a_key_once_between_them(store: Store, address: str) -> None:
    other = Store.open(address, store.keys.keyring)

    def accept(tx: Transaction) -> str:
        known = tx.inbox.find("clinic", "1")
        return known.id if known else receive(tx, "1").id

    found: list[str] = []
    threads = [
        threading.Thread(target=lambda s=s: found.append(s.write_now(accept)))
        for s in (store, other) * 4
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        other.close()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert store.read_now(lambda tx: tx.journal.verify()) == []


def test_two_writers_keep_one_chain_and_every_lane_in_order(
    store: Store, address: str, clock: Clock
) -> None:
    other = Store.open(address, store.keys.keyring, clock=clock)
    failed: list[BaseException] = []

    def add(to: Store, name: str) -> None:
        try:
            for n in range(15):
                to.write_now(lambda tx, n=n: receive(tx, f"{name}{n}"))
                to.write_now(
                    lambda tx: tx.outbox.add(
                        organization=ORGANIZATION,
                        referral="r",
                        destination="a",
                        event="answer",
                        kind="",
                        document={},
                    )
                )
        except StoreError as error:
            failed.append(error)

    threads = [
        threading.Thread(target=add, args=(s, f"{n}-")) for n, s in enumerate((store, other) * 2)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        other.close()
    assert [str(error) for error in failed] == []
    assert store.read_now(lambda tx: tx.journal.verify()) == []
    assert len(store.read_now(lambda tx: tx.journal.after(0, 999))) == 60
    lane = store.read_now(lambda tx: tx.outbox.list())
    assert sorted(row.lane_sequence for row in lane) == list(range(1, 61))
    assert [row.lane_sequence for row in lane if row.state == "due"] == [1]


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(StoreFault, match="closed"):
        store.write_now(lambda tx: None)
    with pytest.raises(StoreFault, match="closed"):
        store.read_now(lambda tx: None)
    with pytest.raises(StoreFault, match="closed"):
        asyncio.run(store.write(lambda tx: None))
    store.close()


def test_what_waits_is_written_before_the_store_closes(store: Store, address: str) -> None:
    async def main() -> None:
        go, held = await hold(store)
        last = asyncio.ensure_future(store.write(lambda tx: receive(tx, "last").key))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(asyncio.to_thread(store.close))
        await asyncio.sleep(0.02)
        go.set()
        assert await last == "last"
        await held
        await closing

    asyncio.run(main())
    again = Store.open(address, store.keys.keyring)
    assert [row.key for row in again.read_now(lambda tx: tx.inbox.list())] == ["last"]
    again.close()


def test_reading_works_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError):
        store.read_now(lambda tx: receive(tx, "1"))
    assert store.read_now(lambda tx: tx.inbox.list()) == []


def test_a_reader_sees_one_moment(store: Store) -> None:
    def look(tx: Transaction) -> tuple[int, int]:
        before = len(tx.inbox.list())
        store.write_now(lambda other: receive(other, "1"))
        return before, len(tx.inbox.list())

    assert store.read_now(look) == (0, 0)
    assert len(store.read_now(lambda tx: tx.inbox.list())) == 1
