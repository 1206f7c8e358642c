"""Items that wait together are one work; what each was promised stays true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from adapter.store.errors import StoreError, StoreFault
from adapter.store.together import MOST, Together


class FakeStore:
    """Runs a work at once, as a store whose commit takes one turn of the loop."""

    async def write(self, work: Callable[[Any], Any]) -> Any:
        await asyncio.sleep(0)
        return work(None)


def doubling(groups: list[list[int]], fault: Exception | None = None) -> Any:
    def work(_: Any, items: Sequence[int]) -> list[int]:
        groups.append(list(items))
        if fault is not None and 13 in items:
            raise fault
        return [2 * each for each in items]

    return Together(FakeStore(), work)  # type: ignore[arg-type]


def results(together: Any, *items: int) -> list[Any]:
    async def run() -> list[Any]:
        futures = [together.do(each) for each in items]
        return await asyncio.gather(*futures, return_exceptions=True)

    return asyncio.run(run())


def test_items_of_one_turn_are_one_work_and_each_has_its_own_result() -> None:
    groups: list[list[int]] = []
    assert results(doubling(groups), 1, 2, 3) == [2, 4, 6]
    assert groups == [[1, 2, 3]]


def test_no_work_is_too_large() -> None:
    groups: list[list[int]] = []
    assert results(doubling(groups), *range(MOST + 1)) == [2 * n for n in range(MOST + 1)]
    assert [len(each) for each in groups] == [MOST, 1]


@pytest.mark.parametrize("fault", [StoreError("store.constraint", "no"), ValueError("no")])
def test_an_item_that_cannot_be_done_fails_alone(fault: Exception) -> None:
    groups: list[list[int]] = []
    assert results(doubling(groups, fault), 1, 13, 3) == [2, fault, 6]
    assert groups[0] == [1, 13, 3]


def test_where_the_store_cannot_all_are_told_and_nothing_is_tried_again() -> None:
    groups: list[list[int]] = []
    fault = StoreFault("store.full", "full")
    assert results(doubling(groups, fault), 1, 13, 3) == [fault, fault, fault]
    assert len(groups) == 1


def test_a_caller_who_left_costs_the_others_nothing() -> None:
    async def run() -> int:
        together = doubling([])
        left, stays = together.do(1), together.do(2)
        left.cancel()
        return int(await stays)

    assert asyncio.run(run()) == 4
