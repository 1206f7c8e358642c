"""Who may see what by the FHIR API: for each organization outside, the resources that are its.

A party is an organization by the name that its clients are registered with. A resource is a party's
because it wrote it (`owns`), because it is asked to fulfil it (`performs`), or because somebody
linked it to a referral of both. With `referral` it is seen as that referral is disclosed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.dialect import Dialect
from adapter.store.session import Session
from adapter.store.statement import Statement

_t, _c, _f = schema.parties, schema.cases, schema.fulfilments


def _upsert(dialect: Dialect) -> Any:
    insert = dialect.insert(_t).values({c.name: sa.bindparam(c.name) for c in _t.columns})
    new = insert.excluded
    return insert.on_conflict_do_update(
        index_elements=["party", "id", "type"],
        set_={
            "owns": sa.or_(_t.c.owns, new.owns),
            "performs": sa.or_(_t.c.performs, new.performs),
            # seen in full by one road is seen in full
            "referral": sa.case(
                (sa.or_(_t.c.referral.is_(None), new.referral.is_(None)), None),
                else_=_t.c.referral,
            ),
        },
    )


_GRANT = Statement(_upsert)
_ROLE = Statement(
    sa.select(_t.c.owns, _t.c.performs, _t.c.referral).where(
        _t.c.party == sa.bindparam("of_party"),
        _t.c.id == sa.bindparam("of_id"),
        _t.c.type == sa.bindparam("of_type"),
    )
)
_OF = Statement(
    sa.select(_t.c.party, _t.c.owns, _t.c.performs, _t.c.referral).where(
        _t.c.id == sa.bindparam("of_id"), _t.c.type == sa.bindparam("of_type")
    )
)
_WITHOUT_OWNER = Statement(
    sa.select(_c.c.id, _c.c.site)
    .where(
        _c.c.id > sa.bindparam("after"),
        ~sa.exists().where(_t.c.id == _c.c.id, _t.c.type == "ServiceRequest", _t.c.owns),
    )
    .order_by(_c.c.id)
    .limit(sa.bindparam("most"))
)
_WITHOUT_PERFORMER = Statement(
    sa.select(_f.c.id, _f.c.referral, _f.c.destination)
    .where(
        _f.c.id > sa.bindparam("after"),
        _f.c.destination.is_not(None),
        ~sa.exists().where(_t.c.id == _f.c.id, _t.c.type == "Task", _t.c.performs),
    )
    .order_by(_f.c.id)
    .limit(sa.bindparam("most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How one resource is a party's.

    Attributes:
        owns: it may write it. performs: it is asked to do it.
        referral: seen as this referral is disclosed; None: seen in full.
    """

    owns: bool
    performs: bool
    referral: str | None


class Parties:
    """Grant and ask; nothing is ever taken back."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def grant(
        self,
        party: str,
        resources: Iterable[tuple[str, str]],
        *,
        organization: str,
        owns: bool = False,
        performs: bool = False,
        referral: str | None = None,
    ) -> None:
        """Make resources, each a type and an id, a party's; what it had already it keeps."""
        self._session.many(
            _GRANT,
            [
                {
                    "party": party,
                    "id": own,
                    "type": kind,
                    "organization": organization,
                    "owns": owns,
                    "performs": performs,
                    "referral": referral,
                }
                for kind, own in resources
            ],
        )

    def share(self, party: str, type: str, id: str) -> Share | None:
        """How a resource is a party's; None if it is not."""
        row = self._session.row(_ROLE, {"of_party": party, "of_type": type, "of_id": id})
        if row is None:
            return None
        return Share(owns=bool(row[0]), performs=bool(row[1]), referral=row[2])

    def of(self, type: str, id: str) -> dict[str, Share]:
        """Every party of a resource."""
        rows = self._session.rows(_OF, {"of_type": type, "of_id": id})
        return {
            row[0]: Share(owns=bool(row[1]), performs=bool(row[2]), referral=row[3]) for row in rows
        }

    def without_owner(self, after: str, limit: int) -> list[tuple[str, str]]:
        """Referrals that no organization owns, by id: the id, and the site that it came from."""
        rows = self._session.rows(_WITHOUT_OWNER, {"after": after, "most": limit})
        return [(row[0], row[1]) for row in rows]

    def without_performer(self, after: str, limit: int) -> list[tuple[str, str, str]]:
        """Fulfilments for a site that no organization performs: id, referral, and the site."""
        rows = self._session.rows(_WITHOUT_PERFORMER, {"after": after, "most": limit})
        return [(row[0], row[1], row[2]) for row in rows]
