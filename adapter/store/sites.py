"""How each configured connection stands, kept so that a restart does not forget it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.dialect import Dialect
from adapter.store.session import Row, Session
from adapter.store.statement import Statement
from adapter.store.times import from_micros, to_micros

_t = schema.sites


def _upsert(dialect: Dialect) -> Any:
    insert = dialect.insert(_t).values({c.name: sa.bindparam(c.name) for c in _t.columns})
    new = insert.excluded
    same = sa.case((_t.c.state == new.state, _t.c.since), else_=new.since)
    return insert.on_conflict_do_update(
        index_elements=["site"],
        set_={
            "organization": new.organization,
            "state": new.state,
            "code": new.code,
            "error": new.error,
            "fix": new.fix,
            "since": same,
            "updated_at": new.updated_at,
        },
    )


_SET = Statement(_upsert)
_TOUCH = Statement(
    sa.update(_t).where(_t.c.site == sa.bindparam("of_site")).values(updated_at=sa.bindparam("at"))
)
_columns = [
    _t.c.site, _t.c.organization, _t.c.state, _t.c.code, _t.c.error, _t.c.fix, _t.c.since,
    _t.c.updated_at,
]  # fmt: skip
_GET = Statement(sa.select(*_columns).where(_t.c.site == sa.bindparam("of_site")))
_LIST = Statement(sa.select(*_columns).order_by(_t.c.site))


def state_of(column: str) -> sa.ScalarSelect[str]:
    """How the site stands whose name is in a column, for what a statement gives back.

    `column` is words, such as ``outbox.destination``: SQLAlchemy writes columns in RETURNING
    without their tables, and here it must be known whose they are.
    """
    return sa.select(_t.c.state).where(_t.c.site == sa.literal_column(column)).scalar_subquery()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """A site's state (ready, retrying, auth-required, disabled, failed, …) since when, and why."""

    site: str
    organization: str
    state: str
    code: str | None
    error: str | None
    fix: str | None
    since: datetime
    updated_at: datetime


class Sites:
    """The states of all sites."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def set(
        self,
        site: str,
        state: str,
        *,
        organization: str,
        code: str | None = None,
        error: str | None = None,
        fix: str | None = None,
    ) -> None:
        """Set a site's state; `since` moves only when the state changes."""
        now = to_micros(self._session.now())
        self._session.run(
            _SET,
            {
                "site": site,
                "organization": organization,
                "state": state,
                "code": code,
                "error": error,
                "fix": fix,
                "since": now,
                "updated_at": now,
            },
        )

    def touch(self, site: str) -> None:
        """Say that a site is being tried now; its state stays."""
        at = to_micros(self._session.now())
        self._session.run(_TOUCH, {"of_site": site, "at": at})

    def get(self, site: str) -> SiteState | None:
        """A site's state, or None if nothing was ever said of it."""
        row = self._session.row(_GET, {"of_site": site})
        return None if row is None else _state(row)

    def list(self) -> list[SiteState]:
        """Every site that has a state, by name."""
        return [_state(row) for row in self._session.rows(_LIST, {})]


def _state(row: Row) -> SiteState:
    return SiteState(
        site=row[0], organization=row[1], state=row[2], code=row[3], error=row[4], fix=row[5],
        since=from_micros(row[6]), updated_at=from_micros(row[7]),
    )  # fmt: skip
