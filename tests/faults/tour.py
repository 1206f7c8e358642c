"""What every scenario is given: how much to do, where to count, and real databases to do it on."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

from tests.faults.journey import Journeys
from tests.faults.results import Results
from tests.faults.stage import Configuration, Stage, Zygote, staged
from tests.integration.store.postgres import Cluster, running_cluster

Scale = Literal["sample", "quick", "full"]
STORES = ("sqlite", "postgresql")


class Tour:
    """One run over some scenarios. What is costly to start is started when it is first needed."""

    def __init__(self, results: Results, scale: Scale, seed: int, stack: AsyncExitStack) -> None:
        self.results = results
        self.scale = scale
        self.seed = seed
        self.chance = random.Random(seed)
        self._stack = stack
        self._zygote: Zygote | None = None
        self._cluster: Cluster | None = None
        self._warmed: set[str] = set()
        self._warming = asyncio.Lock()
        self._said = 0.0

    def pick(self, *, sample: int, quick: int, full: int) -> int:
        """A number for this scale."""
        return {"sample": sample, "quick": quick, "full": full}[self.scale]

    def say(self, text: str, *, seldom: bool = False) -> None:
        """Progress, on stderr; `seldom` means not more than once in five seconds."""
        now = time.monotonic()
        if not seldom or now - self._said > 5:
            self._said = now
            print(text, file=sys.stderr, flush=True)

    async def zygote(self) -> Zygote:
        """The process that forks services."""
        if self._zygote is None:
            self._zygote = Zygote()
            self._stack.push_async_callback(self._zygote.close)
            await self._zygote.open()
        return self._zygote

    async def _warm(self, store: str) -> None:
        """Before the first fork for a kind of store: a journey that counts for nothing."""
        async with self._warming:
            if store in self._warmed:
                return
            self._warmed.add(store)
            place = staged(await self.zygote(), self.address(store))
            async with place as stage, stage.warming():
                await Journeys(stage, ["WARM-1"]).run()

    def cluster(self) -> Cluster:
        """A PostgreSQL of our own."""
        if self._cluster is None:
            self._cluster = self._stack.enter_context(running_cluster())
        return self._cluster

    def address(self, store: str) -> str:
        """A new and empty store of a kind, as a configuration names it."""
        if store == "sqlite":
            return "sqlite:///adapter.sqlite3"
        return self.cluster().new_database()

    @asynccontextmanager
    async def stage(
        self,
        store: str,
        more: Configuration = Configuration(),  # noqa: B008 - it is frozen
    ) -> AsyncIterator[Stage]:
        """A stage on a new store; no service runs on it yet."""
        await self._warm(store)
        async with staged(await self.zygote(), self.address(store), more=more) as stage:
            yield stage
