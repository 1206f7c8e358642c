"""Who waits for the store goes on when it answers, all at once, and never longer than is of use."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapter.exchange import comeback
from adapter.exchange.comeback import Comeback
from adapter.store.errors import StoreFault


class Away:
    """A store that does not answer the first few questions."""

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers
        self.asked = 0

    async def read(self, work: Any) -> bool:
        self.asked += 1
        await asyncio.sleep(0)
        if self.answers and (code := self.answers.pop(0)):
            raise StoreFault(code, "It does not answer.", fix="Wait.")
        return True


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []

    async def pause(self: Comeback, seconds: float) -> None:
        found.append(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(Comeback, "_pause", pause)
    return found


def waited(store: Away, *, waiting: int = 1, tried: int = 0) -> None:
    async def wait() -> None:
        given: Any = store
        one = Comeback(given)
        await asyncio.gather(*(one.wait(tried) for _ in range(waiting)))

    asyncio.run(asyncio.wait_for(wait(), 20))


def test_who_waits_goes_on_when_the_store_answers(pauses: list[float]) -> None:
    store = Away(["store.down", "store.refused", ""])
    waited(store)
    assert store.asked == 3
    assert max(pauses) < 0.2


def test_one_looks_for_all(pauses: list[float]) -> None:
    store = Away(["store.down", ""])
    waited(store, waiting=50)
    assert store.asked == 2


@pytest.mark.parametrize("tried", [0, 1, 5, 100_000])
def test_where_only_writing_fails_the_pause_grows_to_a_second(
    pauses: list[float], tried: int
) -> None:
    waited(Away([]), tried=tried)
    (pause,) = pauses
    most = min(1.0, 0.1 * 2 ** min(tried, 10))
    assert most / 2 <= pause <= most


def test_nobody_waits_for_a_store_that_was_closed(pauses: list[float]) -> None:
    store = Away(["store.closed"])
    waited(store)
    assert store.asked == 1


def test_a_service_that_stops_waits_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comeback, "_LOOK_SECONDS", 3600.0)
    monkeypatch.setattr(comeback, "_MOST_SECONDS", 3600.0)

    async def stop() -> None:
        given: Any = Away(["store.down"] * 1000)
        one = Comeback(given)
        waiting = asyncio.create_task(one.wait())
        await asyncio.sleep(0.01)
        assert not waiting.done()
        one.give_up()
        await asyncio.wait_for(waiting, 20)
        await asyncio.wait_for(one.wait(9), 20)

    asyncio.run(stop())
