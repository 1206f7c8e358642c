"""The programs that directories list: the last good list of each, and how its asking stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from adapter.store import schema
from adapter.store.statement import Statement, insert_all
from adapter.store.times import maybe_micros, maybe_time, to_micros
from adapter.store.turns import Turns, TurnStatements

_t = schema.directories
_p = schema.listed_programs
_turns = TurnStatements(_t)
_KEEP = Statement(
    sa.update(_t)
    .where(_turns.mine)
    .values(
        leased_until=sa.bindparam("until"),
        listed_at=sa.bindparam("new_listed_at", type_=sa.BigInteger),
        reported_at=sa.bindparam("new_reported_at", type_=sa.BigInteger),
        revision=_t.c.revision + 1,
        left_out=sa.bindparam("new_left_out"),
    )
)
_CLEAR = Statement(sa.delete(_p).where(_p.c.site == sa.bindparam("of_site")))
_ADD = insert_all(_p)
_columns = [
    _t.c.site, _t.c.tries, _t.c.polled_at, _t.c.next_at, _t.c.code, _t.c.error, _t.c.fix,
    _t.c.listed_at, _t.c.reported_at, _t.c.revision, _t.c.left_out,
]  # fmt: skip
_GET = Statement(sa.select(*_columns).where(_turns.this))
_LIST = Statement(sa.select(*_columns).order_by(_t.c.site))
_programs = [_p.c.id, _p.c.listing, _p.c.capacity]
_PROGRAMS = Statement(
    sa.select(*_programs).where(_p.c.site == sa.bindparam("of_site")).order_by(_p.c.place)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramRow:
    """One program of a directory.

    Attributes:
        id: the directory's own id of it.
        listing: what it says of it; None where it says how much room there is, and no more.
        capacity: how much room there is; None where nothing is said.
    """

    id: str
    listing: dict[str, Any] | None
    capacity: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRow:
    """How one directory stands.

    Attributes:
        tries: how often in a row asking has failed.
        polled_at: when it was last read to its end, list and room.
        next_at: when it is asked next; None: not before somebody says so.
        code, error, fix: why it failed the last time, or None.
        listed_at: of when the list is that stands here; `reported_at`: of when the room is.
        revision: counts the changes; another process sees by it that there is something new.
        left_out: programs that could not be taken, each with the reason.
    """

    site: str
    tries: int
    polled_at: datetime | None
    next_at: datetime | None
    code: str | None
    error: str | None
    fix: str | None
    listed_at: datetime | None
    reported_at: datetime | None
    revision: int
    left_out: list[dict[str, str]]


class Directories(Turns):
    """The directories of all sites."""

    __slots__ = ()

    statements = _turns
    asked_for = "its programs"
    first = {"revision": 0}  # noqa: RUF012 - of the class, and read only

    def claim(self, site: str, *, now: datetime, until: datetime) -> DirectoryRow | None:
        """Take a directory that is due and that nobody else holds, until a time; None if not."""
        return self.get(site) if self.take_turn(site, now=now, until=until) else None

    def keep(
        self,
        site: str,
        programs: Sequence[ProgramRow],
        *,
        organization: str,
        listed_at: datetime | None,
        reported_at: datetime | None,
        left_out: Sequence[dict[str, str]],
        until: datetime,
    ) -> None:
        """Put these programs in the place of what was there.

        Raises:
            StoreError: ``poll.lease-lost``: another process has the site now; nothing was changed.
        """
        self.change(
            _KEEP,
            site,
            {
                "until": to_micros(until),
                "new_listed_at": maybe_micros(listed_at),
                "new_reported_at": maybe_micros(reported_at),
                "new_left_out": orjson.dumps(list(left_out)).decode() if left_out else None,
            },
        )
        self._session.run(_CLEAR, {"of_site": site})
        for place, each in enumerate(programs):
            self._session.run(
                _ADD,
                {
                    "site": site,
                    "id": each.id,
                    "organization": organization,
                    "place": place,
                    "listing": _text(each.listing),
                    "capacity": _text(each.capacity),
                },
            )

    def programs(self, site: str) -> list[ProgramRow]:
        """The programs that stand, in the order of the list."""
        rows = self._session.rows(_PROGRAMS, {"of_site": site})
        return [
            ProgramRow(id=id, listing=_document(listing), capacity=_document(capacity))
            for id, listing, capacity in rows
        ]

    def get(self, site: str) -> DirectoryRow | None:
        """One directory's row, or None."""
        row = self._session.row(_GET, {"of_site": site})
        return None if row is None else _row(row)

    def list(self) -> list[DirectoryRow]:
        """Every directory that was ever asked, by name of its site."""
        return [_row(row) for row in self._session.rows(_LIST, {})]


def _row(row: Any) -> DirectoryRow:
    return DirectoryRow(
        site=row[0], tries=row[1], polled_at=maybe_time(row[2]), next_at=maybe_time(row[3]),
        code=row[4], error=row[5], fix=row[6], listed_at=maybe_time(row[7]),
        reported_at=maybe_time(row[8]), revision=row[9],
        left_out=orjson.loads(row[10]) if row[10] else [],
    )  # fmt: skip


def _text(document: dict[str, Any] | None) -> str | None:
    return None if document is None else orjson.dumps(document).decode()


def _document(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    found: dict[str, Any] = orjson.loads(text)
    return found
