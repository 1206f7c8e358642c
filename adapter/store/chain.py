"""Hash chains: each entry's hash covers the hash before it, so that no past can be rewritten.

Entries wait in memory until their transaction is about to commit, and are then numbered and linked
while the chain's head is locked. So the lock is held for the shortest time, always last and always
in the same order, and entries of one group commit are written together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.session import Parameters, Session
from adapter.store.statement import Statement, insert_all

_PAGE = 1000
_chains = schema.chains
_look = sa.select(_chains.c.sequence, _chains.c.hash).where(_chains.c.name == sa.bindparam("chain"))
_LOOK = Statement(_look)
_LOCK = Statement(_look.with_for_update())
_MOVE = Statement(
    sa.update(_chains)
    .where(_chains.c.name == sa.bindparam("chain"))
    .values(sequence=sa.bindparam("to_sequence"), hash=sa.bindparam("to_hash"))
)


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """Where a chain does not hold: `sequence` is the first entry concerned, `what` a word code."""

    chain: str
    sequence: int
    what: str


class Chain:
    """One chained table: its columns but `sequence` and `hash` are what a hash covers."""

    def __init__(self, table: sa.Table) -> None:
        self.name = table.name
        self._insert = insert_all(table)
        self._columns = [c.name for c in table.columns if c.name not in ("sequence", "hash")]
        self._after = Statement(
            sa.select(table)
            .where(table.c.sequence > sa.bindparam("after"))
            .order_by(table.c.sequence)
            .limit(_PAGE)
        )
        self._names = [c.name for c in table.columns]

    def write(self, session: Session, entries: Sequence[Parameters]) -> None:
        """Number and link entries after the head, and move the head."""
        if not entries:
            return
        sequence, previous = self.head(session)
        for entry in entries:
            sequence += 1
            previous = self._link(previous, sequence, entry)
            entry["sequence"] = sequence
            entry["hash"] = previous
        session.many(self._insert, entries)
        session.run(_MOVE, {"chain": self.name, "to_sequence": sequence, "to_hash": previous})

    def head(self, session: Session) -> tuple[int, bytes]:
        """The last entry's number and hash; in a write, locked until the commit."""
        row = session.row(_LOCK if session.writes else _LOOK, {"chain": self.name})
        if row is None:
            raise LookupError(f"the chain {self.name} has no head")
        return int(row[0]), bytes(row[1])

    def verify(self, session: Session) -> list[ChainProblem]:
        """Every place where the chain does not hold; empty if it does."""
        return list(self._problems(session))

    def _problems(self, session: Session) -> Iterator[ChainProblem]:
        expected, previous = 0, bytes(32)
        for entry in self._entries(session):
            expected += 1
            if entry["sequence"] != expected:
                yield ChainProblem(self.name, expected, "missing")
                expected = entry["sequence"]
            link = self._link(previous, expected, entry)
            previous = bytes(entry["hash"])
            if link != previous:
                yield ChainProblem(self.name, expected, "changed")
        sequence, last = self.head(session)
        if sequence > expected:
            yield ChainProblem(self.name, expected + 1, "truncated")
        elif sequence < expected or last != previous:
            yield ChainProblem(self.name, sequence, "head-changed")

    def _entries(self, session: Session) -> Iterator[dict[str, Any]]:
        after = 0
        while rows := session.rows(self._after, {"after": after}):
            for row in rows:
                yield dict(zip(self._names, row, strict=True))
            after = rows[-1][0]

    def _link(self, previous: bytes, sequence: int, entry: Parameters) -> bytes:
        digest = hashlib.sha256(previous)
        digest.update(_canonical(sequence, (entry[name] for name in self._columns)))
        return digest.digest()


def _canonical(sequence: int, values: Iterable[Any]) -> bytes:
    """Every value with its kind and length, so that no two entries have the same bytes."""
    parts = [b"%d" % sequence]
    for value in values:
        if value is None:
            parts.append(b"n")
        elif isinstance(value, str):
            text = value.encode()
            parts += (b"s%d:" % len(text), text)
        elif isinstance(value, int):
            parts.append(b"i%d" % value)
        else:
            parts += (b"b%d:" % len(value), value)
    return b"|".join(parts)
