"""How far each site that is asked for news was read: its cursor, who asks now, and when next.

A process that asks holds a lease on the site's row. Every write says whose lease it stands on, and
fails when somebody else has taken it over: two processes never move one cursor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.dialect import Dialect
from adapter.store.errors import StoreError
from adapter.store.session import Row, Session
from adapter.store.statement import Statement
from adapter.store.times import maybe_micros, maybe_time, to_micros

_t = schema.polls


def _begin(dialect: Dialect) -> Any:
    values: dict[str, Any] = {c.name: sa.bindparam(c.name) for c in _t.columns}
    return dialect.insert(_t).values(values).on_conflict_do_nothing()


_this = _t.c.site == sa.bindparam("of_site")
_mine = sa.and_(_this, _t.c.owner == sa.bindparam("me"))
_now = sa.bindparam("now", type_=sa.BigInteger)
_BEGIN = Statement(_begin)
_CLAIM = Statement(
    sa.update(_t)
    .where(
        _this,
        _t.c.next_at <= _now,
        sa.or_(_t.c.owner.is_(None), _t.c.owner == sa.bindparam("me"), _t.c.leased_until <= _now),
    )
    .values(owner=sa.bindparam("new_owner"), leased_until=sa.bindparam("until"))
)
_HOLD = Statement(sa.update(_t).where(_mine).values(leased_until=sa.bindparam("until")))
_KEEP = Statement(
    sa.update(_t)
    .where(_mine)
    .values(cursor_sealed=sa.bindparam("cursor"), leased_until=sa.bindparam("until"))
)
_DONE = Statement(
    sa.update(_t)
    .where(_mine)
    .values(
        owner=None,
        tries=0,
        polled_at=_now,
        next_at=sa.bindparam("next", type_=sa.BigInteger),
        code=None,
        error=None,
        fix=None,
    )
)
_FAILED = Statement(
    sa.update(_t)
    .where(_mine)
    .values(
        owner=None,
        tries=_t.c.tries + 1,
        next_at=sa.bindparam("next", type_=sa.BigInteger),
        code=sa.bindparam("new_code"),
        error=sa.bindparam("new_error"),
        fix=sa.bindparam("new_fix"),
    )
)
_LEAVE = Statement(sa.update(_t).where(_mine).values(owner=None))
_DUE = Statement(sa.update(_t).where(_this).values(next_at=_now, tries=0))
_columns = [
    _t.c.site, _t.c.cursor_sealed, _t.c.tries, _t.c.polled_at, _t.c.next_at, _t.c.code, _t.c.error,
    _t.c.fix,
]  # fmt: skip
_GET = Statement(sa.select(*_columns).where(_this))
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


class Polls:
    """The polls of all sites."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, site: str, *, organization: str, next_at: datetime) -> None:
        """Make a site's row, if it has none."""
        empty: dict[str, Any] = {column.name: None for column in _t.columns}
        made = {
            "site": site,
            "organization": organization,
            "leased_until": 0,
            "tries": 0,
            "next_at": to_micros(next_at),
        }
        self._session.run(_BEGIN, empty | made)

    def claim(self, site: str, *, now: datetime, until: datetime) -> PollRow | None:
        """Take a site that is due and that nobody else holds, until a time; None if not."""
        me = self._session.worker
        parameters = {
            "of_site": site,
            "me": me,
            "new_owner": me,
            "now": to_micros(now),
            "until": to_micros(until),
        }
        return self.get(site) if self._session.run(_CLAIM, parameters) == 1 else None

    def hold(self, site: str, *, until: datetime) -> None:
        """Keep a lease for longer.

        Raises:
            StoreError: ``poll.lease-lost``: another process has the site now.
        """
        self._change(_HOLD, site, {"until": to_micros(until)})

    def keep(self, site: str, cursor: str, *, organization: str, until: datetime) -> None:
        """Remember how far a site was read, in the transaction that keeps what was read.

        Raises:
            StoreError: ``poll.lease-lost``: another process has the site now.
        """
        sealed = self._session.seal(organization, None, _place(site), cursor.encode())
        self._change(_KEEP, site, {"cursor": sealed, "until": to_micros(until)})

    def done(self, site: str, *, now: datetime, next_at: datetime) -> None:
        """It was read to its end; gives up the lease."""
        self._change(_DONE, site, {"now": to_micros(now), "next": to_micros(next_at)})

    def failed(
        self, site: str, *, next_at: datetime | None, code: str, error: str, fix: str
    ) -> None:
        """Asking failed; gives up the lease."""
        said = {"new_code": code, "new_error": error, "new_fix": fix}
        self._change(_FAILED, site, {"next": maybe_micros(next_at), **said})

    def leave(self, site: str) -> None:
        """Give up the lease, if it is held, and say nothing of how it went."""
        self._session.run(_LEAVE, {"of_site": site, "me": self._session.worker})

    def due(self, site: str, *, now: datetime) -> bool:
        """Let a site be asked at once; False if it was never polled."""
        return self._session.run(_DUE, {"of_site": site, "now": to_micros(now)}) == 1

    def get(self, site: str) -> PollRow | None:
        """One site's row, or None."""
        row = self._session.row(_GET, {"of_site": site})
        return None if row is None else self._row(row)

    def list(self) -> list[PollRow]:
        """Every site that was ever polled, by name."""
        return [self._row(row) for row in self._session.rows(_LIST, {})]

    def _change(self, statement: Statement, site: str, parameters: dict[str, Any]) -> None:
        mine = {"of_site": site, "me": self._session.worker}
        if self._session.run(statement, mine | parameters) != 1:
            raise StoreError(
                "poll.lease-lost",
                f"another process asks the site {site} for news now",
                fix="Nothing to do; if it happens often, see whether this machine is overloaded.",
            )

    def _row(self, row: Row) -> PollRow:
        cursor = None if row[1] is None else self._session.open(_place(row[0]), row[1]).decode()
        return PollRow(
            site=row[0], cursor=cursor, tries=row[2], polled_at=maybe_time(row[3]),
            next_at=maybe_time(row[4]), code=row[5], error=row[6], fix=row[7],
        )  # fmt: skip


def _place(site: str) -> str:
    return f"polls|cursor|{site}"
