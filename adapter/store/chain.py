"""Hash chains: each entry's hash covers the hash before it, so that no past can be rewritten.

Hashes are HMAC-SHA256 under a key that is not in the database: who can write the database still
cannot make a link. The head says how many entries there are, and is sealed the same way, so that
cutting off the end shows too.

Entries wait in memory until their transaction is about to commit, and are then numbered and linked
while the chain's head is locked. So the lock is held for the shortest time, always last and always
in the same order, and entries of one group commit are written together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.errors import StoreError
from adapter.store.session import Parameters, Row, Session
from adapter.store.statement import Statement, insert_all

START = bytes(32)
_PAGE = 1000
_t = schema.chains
_look = sa.select(_t.c.sequence, _t.c.hash, _t.c.seal).where(_t.c.name == sa.bindparam("chain"))
_LOOK = Statement(_look)
_LOCK = Statement(_look.with_for_update())
_LOCK_BOTH = Statement(
    sa.select(_t.c.name, _t.c.sequence, _t.c.hash, _t.c.seal)
    .where(sa.or_(_t.c.name == sa.bindparam("first"), _t.c.name == sa.bindparam("second")))
    .order_by(_t.c.name.desc())  # the journal first, as everywhere
    .with_for_update()
)
_MOVE = Statement(
    sa.update(_t)
    .where(_t.c.name == sa.bindparam("chain"))
    .values(
        sequence=sa.bindparam("to_sequence"),
        hash=sa.bindparam("to_hash"),
        seal=sa.bindparam("to_seal"),
    )
)


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """Where a chain does not hold; `sequence` is the entry concerned.

    ``changed``: the entry is not what was written there. ``missing``: it is gone. ``truncated``: it
    and all after it are gone. ``head``: the record of the chain's end is not genuine, or gone.
    """

    chain: str
    sequence: int
    what: Literal["changed", "missing", "truncated", "head"]


@dataclass(frozen=True, slots=True)
class Head:
    """The last entry's number and hash, and the seal of both."""

    sequence: int
    hash: bytes
    seal: bytes


class Chain:
    """One chained table: its columns but `hash` are what a hash covers."""

    def __init__(self, table: sa.Table) -> None:
        # Plain strings: SQLAlchemy's own kind of name costs the driver 2 us wherever it is a value.
        self.name = str(table.name)
        self.table = table
        self._link_purpose = f"chain link {self.name}"
        self._head_purpose = f"chain head {self.name}"
        self._names = [str(c.name) for c in table.columns]
        self._covered = [name for name in self._names if name not in ("sequence", "hash")]
        self._values = itemgetter(*self._covered)
        self._insert = insert_all(table)
        self._count = Statement(sa.select(sa.func.count()).select_from(table))
        self._after = Statement(
            sa.select(table)
            .where(table.c.sequence > sa.bindparam("after"))
            .order_by(table.c.sequence)
            .limit(_PAGE)
        )

    def write(self, session: Session, entries: Sequence[Parameters]) -> None:
        """Number and link entries after the head, and move the head."""
        if entries:
            session.run(_MOVE, self._append(session, self.head(session), entries))

    def _append(self, session: Session, head: Head, entries: Sequence[Parameters]) -> Parameters:
        """Number, link and write entries; where the head is to move to."""
        sequence, previous = head.sequence, head.hash
        for entry in entries:
            sequence += 1
            previous = self._link(session, previous, sequence, entry)
            entry["sequence"] = sequence
            entry["hash"] = previous
        if len(entries) == 1:
            session.run(self._insert, entries[0])
        else:
            session.many(self._insert, entries)
        return self._place(session, sequence, previous)

    def begin(self, session: Session) -> None:
        """Seal the head of a new chain, so that an emptied one does not look new."""
        session.run(_MOVE, self._place(session, 0, START))

    def head(self, session: Session) -> Head:
        """The end of the chain; in a write, locked until the commit.

        Raises:
            StoreError: the record of it is gone.
        """
        return self._head(session.row(_LOCK if session.writes else _LOOK, {"chain": self.name}))

    def verify(self, session: Session) -> Iterator[ChainProblem]:
        """Every place where the chain does not hold, in order; nothing if it does."""
        expected, previous = 0, START
        for entry in self._entries(session):
            expected += 1
            if entry["sequence"] > expected:
                yield ChainProblem(self.name, expected, "missing")
                expected = entry["sequence"]
            elif self._link(session, previous, expected, entry) != entry["hash"]:
                yield ChainProblem(self.name, expected, "changed")
            previous = entry["hash"] if isinstance(entry["hash"], bytes) else b""
        row = session.row(_LOOK, {"chain": self.name})
        if row is None:
            yield ChainProblem(self.name, expected + 1, "head")
            return
        head = Head(int(row[0]), bytes(row[1]), bytes(row[2]))
        if head.sequence > expected:
            yield ChainProblem(self.name, expected + 1, "truncated")
        elif head.sequence < expected or head.hash != previous:
            yield ChainProblem(self.name, head.sequence, "head")
        elif head.seal != self._seal(session, head.sequence, head.hash):
            yield ChainProblem(self.name, head.sequence + 1, "truncated")

    def count(self, session: Session) -> int:
        """How many entries are there, whatever the record of the end says."""
        row = session.row(self._count, {})
        return int(row[0]) if row else 0

    def _head(self, row: Row | None) -> Head:
        if row is None:
            raise StoreError(
                "store.no-chain-head",
                f"The record of the end of the {self.name} chain is gone.",
                fix="Restore from a backup: the database was changed by something else.",
            )
        return Head(int(row[0]), bytes(row[1]), bytes(row[2]))

    def _place(self, session: Session, sequence: int, last: bytes) -> Parameters:
        seal = self._seal(session, sequence, last)
        return {"chain": self.name, "to_sequence": sequence, "to_hash": last, "to_seal": seal}

    def _entries(self, session: Session) -> Iterator[dict[str, Any]]:
        after = 0
        while rows := session.rows(self._after, {"after": after}):
            for row in rows:
                yield dict(zip(self._names, row, strict=True))
            after = rows[-1][0]

    def _link(self, session: Session, previous: bytes, sequence: int, entry: Parameters) -> bytes:
        content = _canonical(previous, sequence, self._values(entry))
        return session.keyring.lookup_hash(self._link_purpose, content)

    def _seal(self, session: Session, sequence: int, last: bytes) -> bytes:
        return session.keyring.lookup_hash(self._head_purpose, b"%d|%b" % (sequence, last))


def write_both(
    session: Session,
    first: Chain,
    entries: Sequence[Parameters],
    second: Chain,
    others: Sequence[Parameters],
) -> None:
    """Write what is due in two chains; where it is due in both, their heads are read as one."""
    if not entries or not others:
        first.write(session, entries)
        second.write(session, others)
        return
    rows = session.rows(_LOCK_BOTH, {"first": first.name, "second": second.name})
    heads = {row[0]: row[1:] for row in rows}
    moves = [
        chain._append(session, chain._head(heads.get(chain.name)), due)
        for chain, due in ((first, entries), (second, others))
    ]
    session.many(_MOVE, moves)


def _canonical(previous: bytes, sequence: int, values: Iterable[Any]) -> bytes:
    """Every value with its kind and length, so that no two entries have the same bytes."""
    parts = [previous, b"%d" % sequence]
    for value in values:
        if value is None:
            parts.append(b"n")
        elif isinstance(value, str):
            text = value.encode()
            parts.append(b"s%d:|%b" % (len(text), text))
        elif isinstance(value, bytes):
            parts.append(b"b%d:|%b" % (len(value), value))
        elif isinstance(value, int):
            parts.append(b"i%d" % value)
        else:
            parts.append(b"?" + repr(value).encode())  # no column of ours: somebody changed it
    return b"|".join(parts)
