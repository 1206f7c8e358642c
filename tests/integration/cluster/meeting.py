"""Two who write to one store at once, so that each step of the one is met by all of the other."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from adapter.store import failpoints
from adapter.store.store import Store

PATIENCE = 20.0

Act = Callable[[], str | None]
"""What an operator does; the code of the refusal, None if it was done."""


class Meeting:
    """An operator and somebody else at once. One of them halts before a statement, and goes on when
    the other is done, or waits for it.
    """

    def __init__(self, store: Store, halts: str, step: int) -> None:
        self._look = store.dialect.connect(writer=False)
        self._halts = halts
        self._left = step
        self._halted, self._go_on = threading.Event(), threading.Event()
        self.begun: Counter[str] = Counter()

    def hold(self, act: Act, others: Callable[[], object]) -> tuple[bool, str | None]:
        """Whether there was such a statement, and what the operator was told."""
        failpoints.arm(self._pass)
        pools = {
            who: ThreadPoolExecutor(1, thread_name_prefix=who) for who in ("operator", "worker")
        }
        work: dict[str, Callable[[], Any]] = {"operator": act, "worker": others}
        (second,) = work.keys() - {self._halts}
        try:
            one = pools[self._halts].submit(work[self._halts])
            self._until(one, self._halted.is_set)
            two = pools[second].submit(work[second])
            self._until(two, self._somebody_waits)
            self._go_on.set()
            results = {self._halts: one.result(PATIENCE), second: two.result(PATIENCE)}
            return self._halted.is_set(), results["operator"]
        finally:
            self._go_on.set()
            failpoints.arm(None)
            self._look.close()
            for pool in pools.values():
                pool.shutdown()

    def _pass(self, name: str) -> None:
        if ":1:BEGIN" in name:
            self.begun[f"{threading.current_thread().name} {name}"] += 1
        operator = threading.current_thread().name.startswith("operator")
        if operator == (self._halts == "operator") and ":" in name:
            self._left -= 1
            if self._left == 0:
                self._halted.set()
                assert self._go_on.wait(PATIENCE)

    @staticmethod
    def _until(doing: Future[Any], or_so: Callable[[], bool]) -> None:
        late = time.monotonic() + PATIENCE
        while not (doing.done() or or_so()):
            assert time.monotonic() < late, "it never came to that"
            time.sleep(0.002)

    def _somebody_waits(self) -> bool:
        asked = self._look.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(asked.fetchone()[0])
