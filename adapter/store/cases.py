"""Referrals and their fulfilments as they stand now: projections of the journal."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.errors import stale
from adapter.store.session import Row, Session
from adapter.store.statement import Statement, insert_all
from adapter.store.times import from_micros, maybe_time, to_micros

_c = schema.cases
_f = schema.fulfilments
_CASE = [
    _c.c.id, _c.c.organization, _c.c.site, _c.c.status, _c.c.test, _c.c.version, _c.c.received_at,
    _c.c.updated_at, _c.c.erased_at, _c.c.document_sealed,
]  # fmt: skip
_FULFILMENT = [
    _f.c.id, _f.c.organization, _f.c.referral, _f.c.parent, _f.c.destination, _f.c.status,
    _f.c.business_status, _f.c.reason_code, _f.c.version, _f.c.created_at, _f.c.updated_at,
    _f.c.document_sealed,
]  # fmt: skip
_ADD = insert_all(_c)
_SAVE = Statement(
    sa.update(_c)
    .where(_c.c.id == sa.bindparam("row"), _c.c.version == sa.bindparam("seen"))
    .values(
        status=sa.bindparam("new_status"),
        document_sealed=sa.bindparam("new_document"),
        updated_at=sa.bindparam("at"),
        version=_c.c.version + 1,
    )
)
_GET = Statement(sa.select(*_CASE).where(_c.c.id == sa.bindparam("row")))
_LIST = Statement(
    sa.select(*_CASE)
    .where(_c.c.id > sa.bindparam("after"))
    .order_by(_c.c.id)
    .limit(sa.bindparam("most", type_=sa.Integer))
)
_ADD_FULFILMENT = insert_all(_f)
_SAVE_FULFILMENT = Statement(
    sa.update(_f)
    .where(_f.c.id == sa.bindparam("row"), _f.c.version == sa.bindparam("seen"))
    .values(
        status=sa.bindparam("new_status"),
        business_status=sa.bindparam("new_business_status"),
        reason_code=sa.bindparam("new_reason_code"),
        destination=sa.func.coalesce(
            sa.bindparam("new_destination", type_=sa.Text), _f.c.destination
        ),
        document_sealed=sa.bindparam("new_document"),
        updated_at=sa.bindparam("at"),
        version=_f.c.version + 1,
    )
)
_GET_FULFILMENT = Statement(sa.select(*_FULFILMENT).where(_f.c.id == sa.bindparam("row")))
_both = sa.select(*_CASE, *_FULFILMENT).order_by(_f.c.created_at, _f.c.id)
_WHOLE = Statement(
    _both.select_from(_c.outerjoin(_f, _f.c.referral == _c.c.id)).where(
        _c.c.id == sa.bindparam("row")
    )
)
_one = _f.alias()
_WHOLE_OF = Statement(
    _both.select_from(
        _one.join(_c, _c.c.id == _one.c.referral).join(_f, _f.c.referral == _c.c.id)
    ).where(_one.c.id == sa.bindparam("row"), _one.c.destination == sa.bindparam("held_by"))
)
_FULFILMENTS = Statement(
    sa.select(*_FULFILMENT)
    .where(_f.c.referral == sa.bindparam("of_referral"))
    .order_by(_f.c.created_at, _f.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """One referral; `document` is the canonical Referral, empty once the person was erased."""

    id: str
    organization: str
    site: str
    status: str
    test: bool
    version: int
    received_at: datetime
    updated_at: datetime
    erased_at: datetime | None = None
    document: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfilmentRow:
    """One fulfilment; `document` is the canonical Fulfilment, empty once the person was erased."""

    id: str
    organization: str
    referral: str
    parent: str | None
    destination: str | None
    status: str
    business_status: str | None
    reason_code: str | None
    version: int
    created_at: datetime
    updated_at: datetime
    document: dict[str, Any] = field(repr=False)


Rows = list[Row]
Fulfilments = list[FulfilmentRow]
Whole = tuple[CaseRow, Fulfilments]


class Cases:
    """Referrals and fulfilments, changed only by those who saw the newest version."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        *,
        id: str,
        organization: str,
        site: str,
        status: str,
        document: dict[str, Any],
        received_at: datetime,
        test: bool = False,
    ) -> None:
        """A new referral, at version 1."""
        self._session.new_owner(organization, id)
        self._session.run(
            _ADD,
            {
                "id": id,
                "organization": organization,
                "site": site,
                "status": status,
                "test": test,
                "version": 1,
                "received_at": to_micros(received_at),
                "updated_at": to_micros(self._session.now()),
                "erased_at": None,
                "document_sealed": self._seal("cases", organization, id, id, document),
            },
        )

    def get(self, id: str) -> CaseRow | None:
        """One referral, or None."""
        row = self._session.row(_GET, {"row": id})
        return None if row is None else self._case(row)

    def save(
        self,
        id: str,
        *,
        organization: str,
        version: int,
        status: str,
        document: dict[str, Any],
    ) -> int:
        """Change a referral that was read at `version`; its new version.

        Raises:
            StaleError: somebody changed it since.
        """
        parameters = {
            "row": id,
            "seen": version,
            "new_status": status,
            "new_document": self._seal("cases", organization, id, id, document),
            "at": to_micros(self._session.now()),
        }
        if self._session.run(_SAVE, parameters) != 1:
            raise stale("referral", id)
        return version + 1

    def list(self, *, after: str = "", limit: int = 1_000_000) -> list[CaseRow]:
        """Referrals in the order of their ids, from the one after `after`."""
        rows = self._session.rows(_LIST, {"after": after, "most": limit})
        return [self._case(row) for row in rows]

    def fulfilments(self, referral: str) -> Fulfilments:
        """The fulfilments of a referral, oldest first."""
        rows = self._session.rows(_FULFILMENTS, {"of_referral": referral})
        return [self._fulfilment(row) for row in rows]

    def fulfilment(self, id: str) -> FulfilmentRow | None:
        """One fulfilment, or None."""
        row = self._session.row(_GET_FULFILMENT, {"row": id})
        return None if row is None else self._fulfilment(row)

    def whole(self, id: str) -> Whole | None:
        """One referral with its fulfilments, oldest first; or None."""
        return self._whole(self._session.rows(_WHOLE, {"row": id}))

    def whole_of(self, fulfilment: str, destination: str) -> Whole | None:
        """As `whole`, by one of its fulfilments; None if that one is not with this site."""
        wanted = {"row": fulfilment, "held_by": destination}
        return self._whole(self._session.rows(_WHOLE_OF, wanted))

    def add_fulfilment(
        self,
        *,
        id: str,
        organization: str,
        referral: str,
        status: str,
        document: dict[str, Any],
        parent: str | None = None,
        destination: str | None = None,
        business_status: str | None = None,
        reason_code: str | None = None,
    ) -> None:
        """A new fulfilment of a referral, at version 1; `destination` is a site."""
        now = to_micros(self._session.now())
        self._session.run(
            _ADD_FULFILMENT,
            {
                "id": id,
                "organization": organization,
                "referral": referral,
                "parent": parent,
                "destination": destination,
                "status": status,
                "business_status": business_status,
                "reason_code": reason_code,
                "version": 1,
                "created_at": now,
                "updated_at": now,
                "document_sealed": self._seal("fulfilments", organization, referral, id, document),
            },
        )

    def save_fulfilment(
        self,
        id: str,
        *,
        organization: str,
        referral: str,
        version: int,
        status: str,
        document: dict[str, Any],
        business_status: str | None = None,
        reason_code: str | None = None,
        destination: str | None = None,
    ) -> int:
        """Change a fulfilment that was read at `version`; its new version.

        A `destination` of None leaves it as it is.

        Raises:
            StaleError: somebody changed it since.
        """
        parameters = {
            "row": id,
            "seen": version,
            "new_status": status,
            "new_business_status": business_status,
            "new_reason_code": reason_code,
            "new_destination": destination,
            "new_document": self._seal("fulfilments", organization, referral, id, document),
            "at": to_micros(self._session.now()),
        }
        if self._session.run(_SAVE_FULFILMENT, parameters) != 1:
            raise stale("fulfilment", id)
        return version + 1

    def _seal(
        self, table: str, organization: str, referral: str, row: str, document: dict[str, Any]
    ) -> bytes:
        return self._session.seal_json(organization, referral, f"{table}|document|{row}", document)

    def _whole(self, rows: Rows) -> Whole | None:
        if not rows:
            return None
        width = len(_CASE)
        with_fulfilment = (row[width:] for row in rows if row[width] is not None)
        return self._case(rows[0]), [self._fulfilment(each) for each in with_fulfilment]

    def _case(self, row: Row) -> CaseRow:
        return CaseRow(
            id=row[0], organization=row[1], site=row[2], status=row[3], test=bool(row[4]),
            version=row[5], received_at=from_micros(row[6]), updated_at=from_micros(row[7]),
            erased_at=maybe_time(row[8]),
            document=self._session.open_json(f"cases|document|{row[0]}", row[9]) or {},
        )  # fmt: skip

    def _fulfilment(self, row: Row) -> FulfilmentRow:
        return FulfilmentRow(
            id=row[0], organization=row[1], referral=row[2], parent=row[3], destination=row[4],
            status=row[5], business_status=row[6], reason_code=row[7], version=row[8],
            created_at=from_micros(row[9]), updated_at=from_micros(row[10]),
            document=self._session.open_json(f"fulfilments|document|{row[0]}", row[11]) or {},
        )  # fmt: skip
