"""kill -9 at every statement, commit and send of the journey, and of the start after it.

A traced journey lists the places; each is then killed at, on a journey of its own, while the
parties go on trying. The service is started again at once, with nothing armed, and must bring
everything to its end: every acknowledged act has its effect at the receivers, and no effect is
there twice. Then the journal and the audit must still hold.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from dataclasses import dataclass

from adapter.store.transaction import Transaction
from tests.faults.journey import Counts, Journeys, under_way
from tests.faults.stage import Stage
from tests.faults.tour import STORES, Tour

KIND = "kill"
_ROUNDS = 6
_PER_STAGE = 40
_AT_ONCE = {"sqlite": 2, "postgresql": 4}  # on PostgreSQL a dead worker is waited for, idly
_PATIENCE = 60.0
_NOT_YET = ("-", 0)


@dataclass(frozen=True, slots=True)
class Case:
    """Die at a passing of a place; `at_start` means in the start after another kill.

    `visits` says that the place is passed only when the agency opens its letter.
    """

    place: str
    passing: int
    together: int
    visits: bool
    at_start: bool = False

    @property
    def fault(self) -> str:
        """Its name in the results."""
        return f"kill -9 {'in the recovery ' if self.at_start else ''}at {self.place}"


async def run(tour: Tour) -> None:
    """Trace on each store, then kill."""
    done: Counter[str] = Counter(began=round(time.monotonic()))
    works = []
    for store in STORES:
        cases = await plan(tour, store)
        done["wanted"] += len(cases)
        tour.say(f"kill: {len({(c.place, c.at_start) for c in cases})} places on {store},"
                 f" {len(cases)} kills to do")  # fmt: skip
        shares = deque(cases[n : n + _PER_STAGE] for n in range(0, len(cases), _PER_STAGE))
        works += [_work(tour, store, shares, done) for _ in range(_AT_ONCE[store])]
    await asyncio.gather(*works)


async def plan(tour: Tour, store: str) -> list[Case]:
    """Every place that a journey passes, in a random order, all of them before any again."""
    async with tour.stage(store) as stage:
        await stage.start(_NOT_YET)
        started = await passed(stage)
        await stage.line.tell({"arm": None})
        await Journeys(stage, ["TRACE-1"], visits=False).run()
        sent = await passed(stage)
        await stage.line.tell({"arm": None})
        await Journeys(stage, ["TRACE-2"]).run()
        visited = await passed(stage)
    travelled = {**visited, **sent}
    cases: list[Case] = []
    for turn in range(tour.pick(sample=1, quick=1, full=_ROUNDS)):
        part = [
            Case(place, tour.chance.randint(1, min(hits, 4)) if turn else 1, 1 + 2 * (turn == 1),
                 visits=place not in sent)
            for place, hits in travelled.items()
        ]  # fmt: skip
        if turn == 0:
            part += [Case(place, 1, 1, visits=False, at_start=True) for place in started]
        if turn == 1:
            part += [Case(place, 1, 1, visits=False, at_start=True)
                     for place in sent if _recovers(place)]  # fmt: skip
        tour.chance.shuffle(part)
        cases += part
    return cases[: tour.pick(sample=8, quick=25, full=len(cases))]


async def passed(stage: Stage) -> dict[str, int]:
    """The places passed since it was armed, and how often."""
    assert stage.line is not None
    found: dict[str, int] = await stage.line.ask({"report": True}, "passed")
    return found


_RECOVERING = ("workbench.", "delivery.", "site_context.add", "adapter_link.smtp.send")


def _recovers(place: str) -> bool:
    """True for places that a service passes when it finds a received message at its start."""
    return place.startswith(_RECOVERING)


async def _work(tour: Tour, store: str, shares: deque[list[Case]], done: Counter[str]) -> None:
    """Do shares of the cases, each on a stage of its own, until none is left."""
    while shares:
        some = shares.popleft()
        async with tour.stage(store) as stage:
            await stage.start()
            while some:
                case = some.pop(0)
                done["cases"] += 1
                try:
                    made = await _one(tour, store, stage, case, done["cases"])
                except UnsettledError as error:
                    tour.say(f"kill: {case} on {store} did not settle: {error}")
                    tour.say(await stage.stands())
                    tour.results.add(case.fault, KIND, store, lost=1)
                    shares.append(some)  # this stage is not used any more
                    break
                done["kills"] += made
                _tell(tour, done)


def _tell(tour: Tour, done: Counter[str]) -> None:
    """How far it is, and how long the rest takes if it goes on like that."""
    spent = time.monotonic() - done["began"]
    left = spent / done["cases"] * (done["wanted"] - done["cases"])
    rows = [row for row in tour.results.rows.values() if row.kind == KIND]
    tour.say(f"kill: {done['cases']} of {done['wanted']} cases, {done['kills']} kills,"
             f" {sum(row.acknowledged for row in rows)} acknowledged,"
             f" {sum(row.effects for row in rows)} effects, {sum(row.lost for row in rows)} lost,"
             f" {sum(row.duplicated for row in rows)} twice; {left / 60:.1f} min left",
             seldom=True)  # fmt: skip


async def _one(tour: Tour, store: str, stage: Stage, case: Case, number: int) -> int:
    numbers = [f"K{number}-{each}" for each in range(case.together)]
    journeys = Journeys(stage, numbers, visits=case.visits)
    before = await _cases(stage)
    assert stage.line is not None
    arm = (case.place, case.passing)
    kills = Kills(stage, then=arm if case.at_start else None)
    await stage.line.tell({"arm": ("receive.durable", 1) if case.at_start else arm})
    try:
        async with asyncio.TaskGroup() as group:
            reviving = group.create_task(kills.revive())
            await journeys.run(_PATIENCE)
            await kills.settled()
            reviving.cancel()
    except ExceptionGroup as faults:
        left = await stage.store.read(under_way) if stage.store is not None else "?"
        said = f"{faults.exceptions!r}, {kills.made} kills, {dict(journeys.acknowledged)}, {left}"
        raise UnsettledError(said) from faults
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
        effects=counts.effects, lost=counts.lost, duplicated=counts.duplicated,
        recovery=kills.recovery,
    )  # fmt: skip
    return kills.made


class UnsettledError(Exception):
    """The parties did not come to the end, or the service did not come back."""


class Kills:
    """Starts the service again whenever it died, and measures how long the recovery takes.

    A recovery ends when the service is ready and all that was on its way at its death is delivered.
    """

    def __init__(self, stage: Stage, then: tuple[str, int] | None) -> None:
        self.stage = stage
        self.then = then
        self.made = 0
        self.recovery = 0.0
        self._measuring: list[asyncio.Task[None]] = []

    async def revive(self) -> None:
        """Watch, and start again: armed once more if `then` says so."""
        while True:
            assert self.stage.line is not None
            await self.stage.line.dead.wait()
            self.made += 1
            died = time.monotonic()
            await self.stage.kill()
            arm, self.then = self.then, None
            if not await self.stage.start(arm):
                self.made += 1
                died = time.monotonic()
                await self.stage.start()
            self._measuring.append(asyncio.create_task(self._measure(died)))

    async def settled(self) -> None:
        """Wait until the service lives, whatever it died of last, and for the measurements.

        The journeys may be over while it is only just dead: then it is being started, and a start
        that is broken off would leave a service that nobody knows.
        """
        async with asyncio.timeout(_PATIENCE):
            while not await self.stage.disarmed():  # noqa: ASYNC110 - it is asked, and answers
                await asyncio.sleep(0.01)
            await asyncio.gather(*self._measuring)

    async def _measure(self, died: float) -> None:
        store = self.stage.store
        assert store is not None
        left = await store.read(under_way)
        while left:
            left &= await store.read(under_way)
            await asyncio.sleep(0.05)
        self.recovery = max(self.recovery, time.monotonic() - died)


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
