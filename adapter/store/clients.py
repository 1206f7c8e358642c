"""Clients of the FHIR API: who they are, whose they are, and what they may do.

Names, scopes and public keys say nothing about a person and are stored as they are.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from adapter.store import schema
from adapter.store.ids import new_id
from adapter.store.session import Row, Session
from adapter.store.statement import Statement
from adapter.store.times import from_micros, to_micros

_t = schema.clients
_columns = [
    _t.c.id, _t.c.name, _t.c.party, _t.c.scopes, _t.c.jwks_url, _t.c.jwks, _t.c.created_at,
    _t.c.disabled_at,
]  # fmt: skip
_ADD = Statement(
    lambda dialect: (
        dialect.insert(_t)
        .values({c.name: sa.bindparam(c.name) for c in _t.columns})
        .on_conflict_do_nothing()
    )
)
_GET = Statement(sa.select(*_columns).where(_t.c.id == sa.bindparam("of_id")))
_LIST = Statement(sa.select(*_columns).order_by(_t.c.created_at))
_DISABLE = Statement(
    sa.update(_t)
    .where(_t.c.id == sa.bindparam("of_id"), _t.c.disabled_at.is_(None))
    .values(disabled_at=sa.bindparam("at"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRow:
    """One client.

    Attributes:
        party: the organization that it speaks for, by name.
        scopes: what it may ask for, as SMART v2 writes it.
        jwks_url: where its public keys are; jwks: or the keys themselves.
        disabled_at: when it was disabled; None while it may come in.
    """

    id: str
    name: str
    party: str
    scopes: tuple[str, ...]
    jwks_url: str | None
    jwks: dict[str, Any] | None
    created_at: datetime
    disabled_at: datetime | None


class Clients:
    """The registered clients."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        name: str,
        *,
        organization: str,
        party: str,
        scopes: tuple[str, ...],
        jwks_url: str | None = None,
        jwks: dict[str, Any] | None = None,
    ) -> str | None:
        """Register a client; its id, or None if the name is taken."""
        identity = new_id()
        added = self._session.run(
            _ADD,
            {
                "id": identity,
                "organization": organization,
                "name": name,
                "party": party,
                "scopes": " ".join(scopes),
                "jwks_url": jwks_url,
                "jwks": None if jwks is None else orjson.dumps(jwks).decode(),
                "created_at": to_micros(self._session.now()),
                "disabled_at": None,
            },
        )
        return identity if added == 1 else None

    def get(self, id: str) -> ClientRow | None:
        """A client, disabled or not."""
        row = self._session.row(_GET, {"of_id": id})
        return None if row is None else _client(row)

    def list(self) -> builtins.list[ClientRow]:
        """Every client, the oldest first."""
        return [_client(row) for row in self._session.rows(_LIST, {})]

    def disable(self, id: str) -> bool:
        """Let it in no more, from the next request on; False if there is none, or it was."""
        at = to_micros(self._session.now())
        return self._session.run(_DISABLE, {"of_id": id, "at": at}) == 1


def _client(row: Row) -> ClientRow:
    return ClientRow(
        id=row[0], name=row[1], party=row[2], scopes=tuple(row[3].split()), jwks_url=row[4],
        jwks=None if row[5] is None else orjson.loads(row[5]), created_at=from_micros(row[6]),
        disabled_at=None if row[7] is None else from_micros(row[7]),
    )  # fmt: skip
