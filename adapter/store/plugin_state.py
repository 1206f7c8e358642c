"""A small store of each site's own: encrypted values under keyed-hash keys, that may expire."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.dialect import Dialect
from adapter.store.session import Session
from adapter.store.statement import Statement
from adapter.store.times import maybe_micros, to_micros

_t = schema.plugin_state


def _insert(dialect: Dialect) -> Any:
    return dialect.insert(_t).values({c.name: sa.bindparam(c.name) for c in _t.columns})


def _put(dialect: Dialect, *, over: sa.ColumnElement[bool] | None = None) -> Any:
    """Store a value; what is there is replaced, or only where it is so `over`."""
    insert = _insert(dialect)
    return insert.on_conflict_do_update(
        index_elements=["site", "key_hash"],
        set_={
            "organization": insert.excluded.organization,
            "value_sealed": insert.excluded.value_sealed,
            "expires_at": insert.excluded.expires_at,
        },
        where=over,
    )


_mine = sa.and_(_t.c.site == sa.bindparam("of_site"), _t.c.key_hash == sa.bindparam("of_key"))
_PUT = Statement(_put)
_ADD = Statement(
    lambda dialect: _put(
        dialect, over=_t.c.expires_at <= sa.bindparam("now", type_=sa.BigInteger, required=True)
    )
)
_GET = Statement(
    sa.select(_t.c.value_sealed).where(
        _mine, sa.or_(_t.c.expires_at.is_(None), _t.c.expires_at > sa.bindparam("now"))
    )
)
_DELETE = Statement(sa.delete(_t).where(_mine))
_DELETE_EXPIRED = Statement(sa.delete(_t).where(_t.c.expires_at <= sa.bindparam("now")))


class PluginState:
    """Get, put, add and delete, each site apart from every other."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def get(self, site: str, key: str) -> bytes | None:
        """The value, or None if it was never put, deleted, or has expired."""
        hashed = self._hash(site, key)
        wanted = {"of_site": site, "of_key": hashed, "now": to_micros(self._session.now())}
        row = self._session.row(_GET, wanted)
        return None if row is None else self._session.open(_place(site, hashed), row[0])

    def put(
        self,
        site: str,
        key: str,
        value: bytes,
        *,
        organization: str,
        expires: datetime | None = None,
    ) -> None:
        """Store a value, over what was there."""
        self._session.run(_PUT, self._row(site, key, value, organization, expires))

    def add(
        self,
        site: str,
        key: str,
        value: bytes,
        *,
        organization: str,
        expires: datetime | None = None,
    ) -> bool:
        """Store a value only if nothing is there, or what was there has expired."""
        row = self._row(site, key, value, organization, expires)
        return self._session.run(_ADD, row | {"now": to_micros(self._session.now())}) == 1

    def delete(self, site: str, key: str) -> None:
        """Forget a value; no error if it was not there."""
        self._session.run(_DELETE, {"of_site": site, "of_key": self._hash(site, key)})

    def delete_expired(self) -> int:
        """Remove every expired value; how many."""
        return self._session.run(_DELETE_EXPIRED, {"now": to_micros(self._session.now())})

    def _row(
        self, site: str, key: str, value: bytes, organization: str, expires: datetime | None
    ) -> dict[str, Any]:
        hashed = self._hash(site, key)
        return {
            "site": site,
            "key_hash": hashed,
            "organization": organization,
            "value_sealed": self._session.seal(organization, None, _place(site, hashed), value),
            "expires_at": maybe_micros(expires),
        }

    def _hash(self, site: str, key: str) -> bytes:
        return self._session.keyring.lookup_hash("plugin state", f"{site}\x1f{key}")


def _place(site: str, hashed: bytes) -> str:
    return f"plugin_state|value|{site}/{hashed.hex()}"
