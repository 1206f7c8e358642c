"""kill -9 at every statement, commit and send of the journey, and of the start after it.

A traced journey lists the places; each is then killed at, on a journey of its own, while the
parties go on trying. The service is started again at once, with nothing armed, and must bring
everything to its end: every acknowledged act has its effect at the receivers, and no effect is
there twice. Then the journal and the audit must still hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from adapter.store.transaction import Transaction
from tests.faults.journey import Counts, Journeys
from tests.faults.stage import Stage
from tests.faults.tour import STORES, Tour

KIND = "kill"
_PASSINGS = 3
_PER_STORE = 40
_NOT_YET = ("-", 0)


@dataclass(frozen=True, slots=True)
class Case:
    """Die at a passing of a place; `at_start` means in the start after another kill."""

    place: str
    passing: int
    together: int
    at_start: bool = False

    @property
    def fault(self) -> str:
        """Its name in the results."""
        return f"kill -9 {'in the recovery ' if self.at_start else ''}at {self.place}"


async def run(tour: Tour) -> None:
    """Trace on each store, then kill."""
    plans = []
    for store in STORES:
        cases = await plan(tour, store)
        tour.say(f"kill: {len({(c.place, c.at_start) for c in cases})} places on {store},"
                 f" {len(cases)} kills to do")  # fmt: skip
        plans.append(_on(tour, store, cases))
    done = 0
    running = list(plans)
    while running:  # the stores take turns, so that a part of the run has seen both
        for each in list(running):
            try:
                done += await anext(each)
            except StopAsyncIteration:
                running.remove(each)
            tour.say(f"kill: {done} kills\n{tour.results.table()}", seldom=True)


async def plan(tour: Tour, store: str) -> list[Case]:
    """Every place that a journey passes, in a random order, all of them before any again."""
    async with tour.stage(store) as stage:
        await stage.start(_NOT_YET)
        started = await passed(stage)
        await stage.line.tell({"arm": None})
        journeys = Journeys(stage, ["TRACE"])
        await journeys.run()
        travelled = await passed(stage)
    rounds = tour.pick(sample=1, quick=1, full=_PASSINGS)
    cases: list[Case] = []
    for turn in range(rounds):
        part = [
            Case(place, tour.chance.randint(1, min(hits, 4)) if turn else 1, 1 + 2 * (turn == 1))
            for place, hits in travelled.items()
        ]
        if turn == 0:
            part += [Case(place, 1, 1, at_start=True) for place in started]
        if turn == 1:
            part += [Case(place, 1, 1, at_start=True) for place in travelled if _recovers(place)]
        tour.chance.shuffle(part)
        cases += part
    return cases[: tour.pick(sample=8, quick=25, full=len(cases))]


async def passed(stage: Stage) -> dict[str, int]:
    """The places passed since it was armed, and how often."""
    assert stage.line is not None
    return await stage.line.ask({"report": True}, "passed")


def _recovers(place: str) -> bool:
    """True for places that a service passes when it finds a received message at its start."""
    return place.startswith(("service.", "delivery.", "site_context.add", "adapter_link.smtp.send"))


async def _on(tour: Tour, store: str, cases: list[Case]) -> AsyncIterator[int]:
    """Do the cases on fresh stores, some on each; yields the kills that each case made."""
    number = 0
    for some in _shares(cases, _PER_STORE):
        async with tour.stage(store) as stage:
            await stage.start()
            for case in some:
                number += 1
                try:
                    yield await _one(tour, store, stage, case, number)
                except TimeoutError:
                    tour.say(f"kill: {case} did not settle\n{stage.log[-1500:]}")
                    tour.results.add(case.fault, KIND, store, lost=1)
                    break  # this store is not used any more


async def _one(tour: Tour, store: str, stage: Stage, case: Case, number: int) -> int:
    numbers = [f"K{number}-{each}" for each in range(case.together)]
    journeys = Journeys(stage, numbers)
    before = await _cases(stage)
    assert stage.line is not None
    arm = (case.place, case.passing)
    kills = Kills(stage, then=arm if case.at_start else None)
    await stage.line.tell({"arm": ("receive.durable", 1) if case.at_start else arm})
    reviving = asyncio.create_task(kills.revive())
    try:
        await journeys.run()
    finally:
        reviving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reviving
    recovery = time.monotonic() - kills.last if kills.made else 0.0
    if kills.made < 1 + case.at_start:  # not passed this time, or not before the start was over
        await stage.kill()
        await stage.start()
        if not kills.made:
            return 0
    counts = journeys.count()
    await _look(stage, counts, before + len(numbers))
    if counts.lost or counts.duplicated:
        tour.say(f"kill: {case}: {counts}")
    tour.results.add(
        case.fault, KIND, store, runs=kills.made, acknowledged=counts.acknowledged,
        effects=counts.effects, lost=counts.lost, duplicated=counts.duplicated, recovery=recovery,
    )  # fmt: skip
    return kills.made


class Kills:
    """Starts the service again whenever it died, and knows when that was."""

    def __init__(self, stage: Stage, then: tuple[str, int] | None) -> None:
        self.stage = stage
        self.then = then
        self.made = 0
        self.last = 0.0

    async def revive(self) -> None:
        """Watch, and start again: armed once more if `then` says so."""
        while True:
            assert self.stage.line is not None
            await self.stage.line.dead.wait()
            self.made += 1
            self.last = time.monotonic()
            await self.stage.kill()
            arm, self.then = self.then, None
            if not await self.stage.start(arm):
                self.made += 1
                self.last = time.monotonic()
                await self.stage.start()


async def _cases(stage: Stage) -> int:
    assert stage.store is not None
    return len(await stage.store.read(lambda tx: tx.cases.list()))


async def _look(stage: Stage, counts: Counts, wanted: int) -> None:
    """The store itself: as many referrals as were sent, and both chains whole."""

    def look(tx: Transaction) -> tuple[int, int]:
        return len(tx.cases.list()), len(tx.journal.verify()) + len(tx.audit.verify())

    assert stage.store is not None
    there, broken = await stage.store.read(look)
    counts.lost += max(wanted - there, 0) + broken
    counts.duplicated += max(there - wanted, 0)
    if broken or there != wanted:
        counts.notes.append(f"{there} referrals for {wanted}, {broken} places in the chains")


def _shares(cases: list[Case], size: int) -> Iterator[list[Case]]:
    for start in range(0, len(cases), size):
        yield cases[start : start + size]
