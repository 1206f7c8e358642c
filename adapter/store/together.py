"""Works on single items that are done together: one call of the store for all that wait.

A group commit saves flushes of the disk, and no more: each work still costs a hand-over to the
writer's thread and back, a transaction's repositories, and its statements one by one. Where the
same work is wanted for many items, they are handed over as one list instead. What was promised of
each stays true: it is durable before its caller hears of it, and where the list fails as a whole,
each item is tried alone, so that one that cannot be done fails alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from adapter.store.errors import StoreFault
from adapter.store.store import Store
from adapter.store.transaction import Transaction

Item = TypeVar("Item")
Result = TypeVar("Result")
Work = Callable[[Transaction, Sequence[Item]], Sequence[Result]]

MOST = 128
"""Items of one transaction: a larger one would make the others wait."""


class Together(Generic[Item, Result]):
    """One work on items of one kind, for one event loop.

    `work` gives a result for each item, in their order, and may be run again.
    """

    def __init__(self, store: Store, work: Work[Item, Result]) -> None:
        self._store = store
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._running: set[asyncio.Task[None]] = set()

    def do(self, item: Item) -> asyncio.Future[Result]:
        """The result for one item, once it is durable.

        Raises:
            StoreError: through the future: nothing of this item was kept.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()
        if not self._waiting:  # all that arrives in this turn of the loop goes together
            loop.call_soon(self._hand_over)
        self._waiting.append((item, future))
        return future

    def _hand_over(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), MOST):
            task = asyncio.create_task(self._write(waiting[start : start + MOST]))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _write(self, group: Sequence[tuple[Item, asyncio.Future[Result]]]) -> None:
        items = [item for item, _ in group]
        try:
            results = await self._store.write(lambda tx: self._work(tx, items))
        except asyncio.CancelledError:
            for _, future in group:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where the callers wait
            if len(group) > 1 and not isinstance(error, StoreFault):
                await asyncio.gather(*(self._write([each]) for each in group))
                return
            for _, future in group:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), result in zip(group, results, strict=True):
                if not future.done():
                    future.set_result(result)
