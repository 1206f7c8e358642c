"""How far each site that is asked for news was read: its cursor, who asks now, and when next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.session import Row
from adapter.store.statement import Statement
from adapter.store.times import maybe_time, to_micros
from adapter.store.turns import Turns, TurnStatements

_t = schema.polls
_turns = TurnStatements(_t)
_KEEP = Statement(
    sa.update(_t)
    .where(_turns.mine)
    .values(cursor_sealed=sa.bindparam("cursor"), leased_until=sa.bindparam("until"))
)
_columns = [
    _t.c.site, _t.c.cursor_sealed, _t.c.tries, _t.c.polled_at, _t.c.next_at, _t.c.code, _t.c.error,
    _t.c.fix,
]  # fmt: skip
_GET = Statement(sa.select(*_columns).where(_turns.this))
_LIST = Statement(sa.select(*_columns).order_by(_t.c.site))


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRow:
    """How far one site was read.

    Attributes:
        cursor: what the plugin gave with the last message that was kept; None before the first.
        tries: how often in a row asking has failed.
        polled_at: when it was last read to its end.
        next_at: when it is asked next; None: not before somebody says so.
        code, error, fix: why it failed the last time, or None.
    """

    site: str
    cursor: str | None = field(repr=False)
    tries: int
    polled_at: datetime | None
    next_at: datetime | None
    code: str | None
    error: str | None
    fix: str | None


class Polls(Turns):
    """The polls of all sites."""

    __slots__ = ()

    statements = _turns
    asked_for = "news"

    def claim(self, site: str, *, now: datetime, until: datetime) -> PollRow | None:
        """Take a site that is due and that nobody else holds, until a time; None if not."""
        return self.get(site) if self.take_turn(site, now=now, until=until) else None

    def keep(self, site: str, cursor: str, *, organization: str, until: datetime) -> None:
        """Remember how far a site was read, in the transaction that keeps what was read.

        Raises:
            StoreError: ``poll.lease-lost``: another process has the site now.
        """
        sealed = self._session.seal(organization, None, _place(site), cursor.encode())
        self.change(_KEEP, site, {"cursor": sealed, "until": to_micros(until)})

    def get(self, site: str) -> PollRow | None:
        """One site's row, or None."""
        row = self._session.row(_GET, {"of_site": site})
        return None if row is None else self._row(row)

    def list(self) -> list[PollRow]:
        """Every site that was ever polled, by name."""
        return [self._row(row) for row in self._session.rows(_LIST, {})]

    def _row(self, row: Row) -> PollRow:
        cursor = None if row[1] is None else self._session.open(_place(row[0]), row[1]).decode()
        return PollRow(
            site=row[0], cursor=cursor, tries=row[2], polled_at=maybe_time(row[3]),
            next_at=maybe_time(row[4]), code=row[5], error=row[6], fix=row[7],
        )  # fmt: skip


def _place(site: str) -> str:
    return f"polls|cursor|{site}"
