"""Ten thousand single changes of the journal and of the audit: each is found, and at its place.

The chains are made by the store; their rows are then copied, changed in memory in one way, and
verified by the same code that `adapter audit verify` runs. Who changes them may write whatever the
database holds, also the record of the chain's end; the key is not in the database.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapter.security.keyring import Keyring
from adapter.store import audit, checkpoint, journal
from adapter.store.chain import START, Chain, ChainProblem
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.faults.tour import STORES, Tour

KIND = "audit"
ENTRIES = 40


@dataclass(slots=True)
class Copy:
    """A chain as somebody may have changed it; stands where a session of the store would."""

    chain: Chain
    keyring: Keyring
    rows: list[dict[str, Any]]
    head: tuple[int, bytes, bytes]
    writes: bool = False

    @property
    def session(self) -> Copy:
        """Itself, where a transaction is wanted."""
        return self

    def rows_after(self, after: int) -> list[tuple[Any, ...]]:
        """One page, in the order of the sequence."""
        return [
            tuple(r.values()) for r in sorted(self.rows, key=_sequence) if r["sequence"] > after
        ]

    def row(self, _: object, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
        """The chain's end; or one entry's hash, for a checkpoint."""
        if "at" not in parameters:
            return self.head
        found = next((r for r in self.rows if r["sequence"] == parameters["at"]), None)
        return None if found is None else (found["hash"],)


def _sequence(row: dict[str, Any]) -> int:
    return int(row["sequence"])


class Session:
    """What `Chain.verify` asks of a session, over a copy."""

    def __init__(self, copy: Copy) -> None:
        self.copy = copy
        self.keyring = copy.keyring
        self.writes = False

    def rows(self, _: object, parameters: dict[str, int]) -> list[tuple[Any, ...]]:
        """One page of entries."""
        return self.copy.rows_after(parameters["after"])

    def row(self, statement: object, parameters: dict[str, Any]) -> tuple[Any, ...] | None:
        """The head, or a hash."""
        return self.copy.row(statement, parameters)


Change = Callable[[Copy, random.Random], int]


def edit(copy: Copy, chance: random.Random) -> int:
    """One value of one entry becomes another."""
    row = chance.choice(copy.rows)
    name = chance.choice([name for name in row if name != "sequence"])
    before = row[name]
    if isinstance(before, bytes):
        at = chance.randrange(len(before))
        row[name] = before[:at] + bytes([before[at] ^ 1 << chance.randrange(8)]) + before[at + 1 :]
    elif isinstance(before, int):
        row[name] = before + chance.choice((-1, 1, 1_000_000))
    else:
        row[name] = f"{before}x" if chance.random() < 0.5 or not before else before[:-1]
    return _sequence(row)


def delete(copy: Copy, chance: random.Random) -> int:
    """One entry goes; those after it keep their numbers, or move up."""
    at = chance.randrange(len(copy.rows) - 1)
    gone = _sequence(copy.rows.pop(at))
    if chance.random() < 0.5:
        for row in copy.rows[at:]:
            row["sequence"] -= 1
    return gone


def reorder(copy: Copy, chance: random.Random) -> int:
    """Two entries change places."""
    one, two = sorted(chance.sample(range(len(copy.rows)), 2))
    first, second = copy.rows[one], copy.rows[two]
    first["sequence"], second["sequence"] = second["sequence"], first["sequence"]
    return one + 1


def truncate(copy: Copy, chance: random.Random) -> int:
    """The end is cut off; the record of the end stays, or is moved back without its key."""
    kept = chance.randrange(len(copy.rows))
    del copy.rows[kept:]
    if chance.random() < 0.5:
        last = copy.rows[-1]["hash"] if kept else START
        copy.head = (kept, last, copy.head[2])
    return kept + 1


def insert(copy: Copy, chance: random.Random) -> int:
    """An entry of somebody's own making stands at the end, made out of another."""
    forged = dict(chance.choice(copy.rows))
    forged["sequence"] = len(copy.rows) + 1
    copy.rows.append(forged)
    copy.head = (forged["sequence"], forged["hash"], copy.head[2])
    return _sequence(forged)


CHANGES: tuple[Change, ...] = (edit, delete, reorder, truncate, insert)


async def run(tour: Tour) -> None:
    """The same number of each change, on chains of both stores."""
    each = tour.pick(sample=40, quick=250, full=2_000)
    for store in STORES if tour.scale != "sample" else STORES[:1]:
        with _chains(tour, store) as (originals, older):
            for change in CHANGES:
                found = sum(_found(tour, chance_of(originals, tour), change) for _ in range(each))
                _add(tour, store, change.__name__, each, found)
            put_back = [_is_older(tour, older) for _ in range(each)]
            _add(tour, store, "an older state put back", each, sum(put_back))


def chance_of(originals: list[Copy], tour: Tour) -> Copy:
    """A copy of one of the chains, to be changed."""
    one = tour.chance.choice(originals)
    return Copy(one.chain, one.keyring, [dict(row) for row in one.rows], one.head)


def _found(tour: Tour, copy: Copy, change: Change) -> bool:
    """True if the first problem is told, and is where the change was made."""
    at = change(copy, tour.chance)
    first = next(iter(_problems(copy)), None)
    if first is None or first.sequence != at:
        tour.say(f"audit: {change.__name__} at {at} of {copy.chain.name} was told as {first}")
        return False
    return True


def _problems(copy: Copy) -> Iterator[ChainProblem]:
    return copy.chain.verify(Session(copy))  # type: ignore[arg-type]


def _is_older(tour: Tour, older: list[tuple[Copy, list[checkpoint.Checkpoint]]]) -> bool:
    """Only a checkpoint that was kept elsewhere can know that the whole database is an old one."""
    state, later = tour.chance.choice(older)
    kept = [each for each in later if each.chain == state.chain.name]
    if any(_problems(state)):
        return False  # it must be a genuine old state
    one = tour.chance.choice(kept)
    told = checkpoint.verify(state, [one])  # type: ignore[arg-type]
    return told == [ChainProblem(one.chain, one.sequence, "truncated")]


def _add(tour: Tour, store: str, fault: str, runs: int, found: int) -> None:
    tour.say(f"audit: {fault} on {store}: {found} of {runs} found and located")
    tour.results.add(
        f"chain: {fault}", KIND, store, runs=runs, acknowledged=runs, effects=found,
        lost=runs - found,
    )  # fmt: skip


@contextmanager
def _chains(
    tour: Tour, store: str
) -> Iterator[tuple[list[Copy], list[tuple[Copy, list[checkpoint.Checkpoint]]]]]:
    """Both chains as they are at the end; and at moments before, with the checkpoints after."""
    with TemporaryDirectory() as place:
        sqlite = f"sqlite:///{Path(place, 'store.db')}"
        keyring = Keyring.generate()
        opened = Store.open(sqlite if store == "sqlite" else tour.address(store), keyring)
        try:
            states: list[list[Copy]] = []
            signed: list[list[checkpoint.Checkpoint]] = []
            for number in range(ENTRIES):
                opened.write_now(lambda tx, n=number: _write(tx, n))
                if number % 10 == 9:
                    states.append(opened.read_now(lambda tx: _copies(tx, keyring)))
                    signed.append(opened.read_now(checkpoint.checkpoints))
            older = [
                (copy, [point for later in signed[place + 1 :] for point in later])
                for place, copies in enumerate(states[:-1])
                for copy in copies
            ]
            yield states[-1], older
        finally:
            opened.close()


def _write(tx: Transaction, number: int) -> None:
    """An entry in each chain, with and without the columns that may be empty."""
    tx.journal.append(
        organization="o", actor="synthetic", site="clinic", kind="referral.received",
        data={"n": number}, referral="r" if number % 2 else None,
    )  # fmt: skip
    tx.audit.append({"n": number}, organization="o", referral="r" if number % 3 else None)


def _copies(tx: Transaction, keyring: Keyring) -> list[Copy]:
    found = []
    for chain in (journal.CHAIN, audit.CHAIN):
        head = chain.head(tx.session)
        rows = list(chain._entries(tx.session))
        found.append(Copy(chain, keyring, rows, (head.sequence, head.hash, head.seal)))
    return found
