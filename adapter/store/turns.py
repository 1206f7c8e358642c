"""Whose turn it is to ask a site: one process at a time, and when next.

A process that asks holds a lease on the site's row. Every write says whose lease it stands on, and
fails when somebody else has taken it over: two processes never write down two different answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

import sqlalchemy as sa

from adapter.store.dialect import Dialect
from adapter.store.errors import StoreError
from adapter.store.session import Session
from adapter.store.statement import Statement
from adapter.store.times import maybe_micros, to_micros


class TurnStatements:
    """The statements of a table that has, by site, the columns of a turn.

    These are ``owner``, ``leased_until``, ``tries``, ``polled_at``, ``next_at``, ``code``,
    ``error`` and ``fix``; whatever else it has begins empty.
    """

    def __init__(self, table: sa.Table) -> None:
        def begin(dialect: Dialect) -> Any:
            values: dict[str, Any] = {c.name: sa.bindparam(c.name) for c in table.columns}
            return dialect.insert(table).values(values).on_conflict_do_nothing()

        now = sa.bindparam("now", type_=sa.BigInteger)
        following = sa.bindparam("next", type_=sa.BigInteger)
        until: Any = sa.bindparam("until")
        self.this = table.c.site == sa.bindparam("of_site")
        self.mine = sa.and_(self.this, table.c.owner == sa.bindparam("me"))
        mine = sa.update(table).where(self.mine)
        self.empty: dict[str, Any] = {column.name: None for column in table.columns}
        self.begin = Statement(begin)
        self.claim = Statement(
            sa.update(table)
            .where(
                self.this,
                table.c.next_at <= now,
                sa.or_(
                    table.c.owner.is_(None),
                    table.c.owner == sa.bindparam("me"),
                    table.c.leased_until <= now,
                ),
            )
            .values(owner=sa.bindparam("new_owner"), leased_until=until)
        )
        self.hold = Statement(mine.values(leased_until=until))
        self.done = Statement(
            mine.values(
                owner=None,
                tries=0,
                polled_at=now,
                next_at=following,
                code=None,
                error=None,
                fix=None,
            )
        )
        self.failed = Statement(
            mine.values(
                owner=None,
                tries=table.c.tries + 1,
                next_at=following,
                code=sa.bindparam("new_code"),
                error=sa.bindparam("new_error"),
                fix=sa.bindparam("new_fix"),
            )
        )
        self.leave = Statement(mine.values(owner=None))
        self.due = Statement(sa.update(table).where(self.this).values(next_at=now, tries=0))


class Turns:
    """The turns of all sites at one kind of question; a repository adds what was answered.

    Attributes:
        statements: those of its table; `asked_for`: what is asked for, in words.
        first: what further columns of a new row hold, where that is not nothing.
    """

    __slots__ = ("_session",)

    statements: ClassVar[TurnStatements]
    asked_for: ClassVar[str]
    first: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, session: Session) -> None:
        self._session = session

    def begin(self, site: str, *, organization: str, next_at: datetime) -> None:
        """Make a site's row, if it has none."""
        made = {
            "site": site,
            "organization": organization,
            "leased_until": 0,
            "tries": 0,
            "next_at": to_micros(next_at),
        }
        self._session.run(self.statements.begin, {**self.statements.empty, **made, **self.first})

    def take_turn(self, site: str, *, now: datetime, until: datetime) -> bool:
        """Take a site that is due and that nobody else holds, until a time; False if it is not."""
        me = self._session.worker
        parameters = {
            "of_site": site,
            "me": me,
            "new_owner": me,
            "now": to_micros(now),
            "until": to_micros(until),
        }
        return self._session.run(self.statements.claim, parameters) == 1

    def hold(self, site: str, *, until: datetime) -> None:
        """Keep a lease for longer.

        Raises:
            StoreError: ``poll.lease-lost``: another process has the site now.
        """
        self.change(self.statements.hold, site, {"until": to_micros(until)})

    def done(self, site: str, *, now: datetime, next_at: datetime) -> None:
        """It was read to its end; gives up the lease."""
        parameters = {"now": to_micros(now), "next": to_micros(next_at)}
        self.change(self.statements.done, site, parameters)

    def failed(
        self, site: str, *, next_at: datetime | None, code: str, error: str, fix: str
    ) -> None:
        """Asking failed; gives up the lease."""
        said = {"new_code": code, "new_error": error, "new_fix": fix}
        self.change(self.statements.failed, site, {"next": maybe_micros(next_at), **said})

    def leave(self, site: str) -> None:
        """Give up the lease, if it is held, and say nothing of how it went."""
        self._session.run(self.statements.leave, {"of_site": site, "me": self._session.worker})

    def due(self, site: str, *, now: datetime) -> bool:
        """Let a site be asked at once; False if it never was."""
        return self._session.run(self.statements.due, {"of_site": site, "now": to_micros(now)}) == 1

    def change(self, statement: Statement, site: str, parameters: dict[str, Any]) -> None:
        """Write on a lease that is held.

        Raises:
            StoreError: ``poll.lease-lost``: another process has the site now.
        """
        mine = {"of_site": site, "me": self._session.worker}
        if self._session.run(statement, mine | parameters) != 1:
            raise StoreError(
                "poll.lease-lost",
                f"another process asks the site {site} for {self.asked_for} now",
                fix="Nothing to do; if it happens often, see whether this machine is overloaded.",
            )
