"""News in every order: 720 orders of a six-step history, each with duplicates and late repetitions.

Each order is played on a real store, through the same desk and the same tables as a message or a
page, one transaction a step. The history of each fulfilment must be legal at every step; what was
terminal must never be left again; and each step must have been done or refused, never forgotten.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapter.exchange.clock import SystemClock
from adapter.exchange.config import Config, load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.referral.lifecycle import lifecycle
from adapter.referral.model import Outcome, Reason, TaskStatus
from adapter.referral.room import Actor, Move
from adapter.security.keyring import Keyring
from adapter.store.ids import new_id
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.faults.tour import STORES, Tour
from tests.integration.loop.harness import CONFIG, PROGRAMS, referral

KIND = "order"
STEPS: tuple[TaskStatus, ...] = (
    "received", "accepted", "in-progress", "on-hold", "completed", "rejected",
)  # fmt: skip
_TOGETHER = 24


async def run(tour: Tour) -> None:
    """Every order on each store; some of them in a sample."""
    orders = list(itertools.permutations(STEPS))
    if tour.scale == "sample":
        orders = tour.chance.sample(orders, 60)
    for store in STORES if tour.scale != "sample" else STORES[:1]:
        with _service(tour, store) as service:
            played = 0
            wrong: list[str] = []
            moved = refused = 0
            for start in range(0, len(orders), _TOGETHER):
                some = orders[start : start + _TOGETHER]
                ends = await asyncio.gather(*(_play(tour, service, order) for order in some))
                for faults, done, not_done in ends:
                    wrong += faults
                    moved += done
                    refused += not_done
                played += len(some)
            for each in wrong[:5]:
                tour.say(f"order: {each}")
            broken = service.store.read_now(lambda tx: len(tx.journal.verify()))
            tour.say(f"order: {played} orders on {store}: {moved} moves, {refused} refused,"
                     f" {len(wrong)} wrong")  # fmt: skip
            tour.results.add(
                "six steps in every order, with duplicates", KIND, store, runs=played,
                acknowledged=moved + refused, effects=moved, lost=len(wrong) + broken,
            )  # fmt: skip


async def _play(
    tour: Tour, service: Service, order: tuple[TaskStatus, ...]
) -> tuple[list[str], int, int]:
    """One referral through one order; what was wrong, and how many moves were made and refused."""
    chance = random.Random(tour.chance.random())
    case, fulfilment = await service.store.write(lambda tx: _open(tx, service))
    steps = [(f"{n}", status) for n, status in enumerate(order)]
    for again in chance.sample(steps, 3):  # the same step again, at once or later
        steps.insert(chance.randrange(steps.index(again) + 1, len(steps) + 1), again)
    steps += [("late", chance.choice(STEPS))]
    moved = refused = 0
    wrong = []
    seen: set[str] = set()
    for key, status in steps:
        acted = await service.desk.act(
            Move(
                fulfilment=fulfilment, actor="performer", to=status, lenient=True,
                reason=Reason(code="other", text="synthetic"), outcome=Outcome(),
            ),
            site="agency", actor="synthetic", key=f"{fulfilment}{key}",
        )  # fmt: skip
        if acted.state == "already" and key not in seen:
            wrong.append(f"{order}: {key} {status} was never done, but is said to be")
        if acted.state == "done":
            if key in seen:
                wrong.append(f"{order}: {key} {status} was done twice")
            seen.add(key)
        moved += acted.state == "done"
        refused += acted.state == "refused"
    history = await service.store.read(lambda tx: _history(tx, case, fulfilment))
    return wrong + _judge(order, *history), moved, refused


def _judge(order: tuple[TaskStatus, ...], ended: str, history: list[str]) -> list[str]:
    """Every step from one status to the next must be in the table, and the last be the end."""
    table = lifecycle("sdohcc")
    wrong = []
    actors: tuple[Actor, ...] = ("performer", "requester", "system")
    if not history or history[0] not in table.initial:
        wrong.append(f"{order}: born as {history[:1]}")
    for before, after in itertools.pairwise(history):
        if before in table.terminal:
            wrong.append(f"{order}: {before} was left for {after}")
        elif not any(table.allows(before, after, actor) for actor in actors):
            wrong.append(f"{order}: {before} became {after}")
    if history[-1:] != [ended]:
        wrong.append(f"{order}: the journal ends with {history[-1:]}, the store has {ended}")
    return wrong


def _history(tx: Transaction, case: str, fulfilment: str) -> tuple[str, list[str]]:
    """The status now, and every status that the journal says it had, in order."""
    row = tx.cases.fulfilment(fulfilment)
    said = [
        entry.kind.removeprefix("fulfilment.")
        for entry in tx.journal.of(case)
        if entry.kind.startswith("fulfilment.")
    ]
    table = lifecycle("sdohcc")
    known = {each for move in table.moves for each in move} | set(STEPS)
    return (row.status if row else "gone"), [each for each in said if each in known]


def _open(tx: Transaction, service: Service) -> tuple[str, str]:
    """A referral as it is after the engine read its message: one fulfilment, at the agency."""
    number = new_id()
    row = tx.inbox.add(
        organization=service.organization, site="clinic", key=number, format="hl7v2",
        kind="REF^I12", raw=referral(number).encode(), test=True,
    )  # fmt: skip
    done = service.engine.process(tx, row)
    assert done.referral is not None, done.state
    (fulfilment,) = tx.cases.fulfilments(done.referral)
    return done.referral, fulfilment.id


@contextmanager
def _service(tour: Tour, store: str) -> Iterator[Service]:
    """The service's parts on a store of their own; nothing listens and nothing is sent."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "programs.toml").write_text(PROGRAMS)
        (folder / "adapter.toml").write_text(
            CONFIG.format(http=0, mllp=0, emr=9, smtp=9, language="en")
        )
        config: Config = load_config(folder / "adapter.toml")
        url = f"sqlite:///{folder}/store.db" if store == "sqlite" else tour.address(store)
        keyring = Keyring.generate()
        opened = Store.open(url, keyring)
        try:
            yield Service(config, pages=Pages(), store=opened, keyring=keyring, clock=SystemClock())
        finally:
            opened.close()
