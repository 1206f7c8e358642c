from __future__ import annotations

import threading
import time
import uuid

import pytest

from adapter.store import ids
from adapter.store.ids import new_id, new_number, new_numbers, number_of


def test_new_ids_are_version_7_and_grow() -> None:
    ids = [new_id() for _ in range(20_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
    for text in ids[::997]:
        made = uuid.UUID(text)
        assert made.version == 7
        assert made.variant == uuid.RFC_4122
        assert str(made) == text


def test_new_ids_carry_the_time() -> None:
    before = time.time_ns() // 1_000_000
    stamp = uuid.UUID(new_id()).int >> 80
    assert before <= stamp <= time.time_ns() // 1_000_000 + 5


def test_ids_of_many_threads_are_all_different() -> None:
    made: list[list[str]] = [[] for _ in range(4)]

    def make(into: list[str]) -> None:
        into += [new_id() for _ in range(2_000)]

    threads = [threading.Thread(target=make, args=(each,)) for each in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each for some in made for each in some}) == 8_000


def test_ids_grow_when_the_clock_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    monkeypatch.setattr(time, "time_ns", lambda: 1_000_000_000)
    assert new_id() > first


def test_numbers_grow_and_are_not_before_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last_number", 0)
    numbers = [new_number(5_000_000) for _ in range(1_000)]
    assert numbers == sorted(set(numbers))
    assert numbers[0] >= number_of(5_000_000)
    later = new_number((1 << 51) + 5)
    assert number_of((1 << 51) + 5) <= later < 1 << 63


def test_numbers_of_one_write_follow_each_other() -> None:
    before = new_number(5_000_000)
    together = list(new_numbers(5_000_000, 12))
    assert together == list(range(together[0], together[0] + 12))
    assert before < together[0]
    assert new_number(5_000_000) > together[-1]
