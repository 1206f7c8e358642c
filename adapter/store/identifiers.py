"""Correlation: which of our records a system's own identifier stands for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from adapter.store import schema
from adapter.store.session import Session
from adapter.store.statement import Statement, insert_new
from adapter.store.times import to_micros

_t = schema.identifiers
_ADD = insert_new(_t)
_FIND = Statement(
    sa.select(_t.c.owner_type, _t.c.owner_id, _t.c.site, _t.c.organization)
    .where(_t.c.value_hash == sa.bindparam("of_value"))
    .order_by(_t.c.added_at, _t.c.owner_id)
)
_OF = Statement(
    sa.select(_t.c.site, _t.c.owner_type, _t.c.system, _t.c.value_hash, _t.c.value_sealed)
    .where(_t.c.owner_id == sa.bindparam("of_owner"))
    .order_by(_t.c.added_at, _t.c.owner_id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIdentifier:
    """An identifier to be kept: `owner_type` is for example ``referral`` or ``fulfilment``."""

    owner_type: str
    owner_id: str
    system: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownIdentifier:
    """An identifier of a record, and the site that uses it."""

    site: str
    owner_type: str
    system: str
    value: str = field(repr=False)


class Identifiers:
    """Found by the keyed hash of system and value, never by the value itself."""

    __slots__ = ("_session",)

    def __init__(self, session: Session) -> None:
        self._session = session

    def add(
        self,
        *,
        organization: str,
        site: str,
        owner_type: str,
        owner_id: str,
        system: str,
        value: str,
        referral: str | None = None,
    ) -> None:
        """Keep one identifier; nothing happens if it is there already."""
        one = NewIdentifier(owner_type=owner_type, owner_id=owner_id, system=system, value=value)
        self.add_many([one], organization=organization, site=site, referral=referral)

    def add_many(
        self,
        identifiers: Iterable[NewIdentifier],
        *,
        organization: str,
        site: str,
        referral: str | None = None,
    ) -> None:
        """Keep several; `referral` is whose key encrypts them (without: the owner's own)."""
        rows = []
        now = to_micros(self._session.now())
        for each in identifiers:
            hashed = self._hash(each.system, each.value)
            owner = referral or each.owner_id
            place = f"identifiers|value|{each.owner_id}|{hashed.hex()}"
            rows.append(
                {
                    "organization": organization,
                    "site": site,
                    "owner_type": each.owner_type,
                    "owner_id": each.owner_id,
                    "system": each.system,
                    "value_hash": hashed,
                    "added_at": now,
                    "value_sealed": self._session.seal(
                        organization, owner, place, each.value.encode()
                    ),
                }
            )
        self._session.many(_ADD, rows)

    def find(
        self,
        system: str,
        value: str,
        *,
        owner_type: str,
        site: str | None = None,
        organization: str | None = None,
    ) -> list[str]:
        """The ids of the records that this identifier stands for, oldest first.

        At one site, or in one organization, or with neither anywhere.
        """
        rows = self._session.rows(_FIND, {"of_value": self._hash(system, value)})
        found = {
            row[1]: None
            for row in rows
            if row[0] == owner_type
            and (site is None or row[2] == site)
            and (organization is None or row[3] == organization)
        }
        return list(found)

    def of(self, owner_id: str) -> list[KnownIdentifier]:
        """Every identifier of a record."""
        rows = self._session.rows(_OF, {"of_owner": owner_id})
        return [
            KnownIdentifier(
                site=row[0],
                owner_type=row[1],
                system=row[2],
                value=self._session.open(
                    f"identifiers|value|{owner_id}|{bytes(row[3]).hex()}", row[4]
                ).decode(),
            )
            for row in rows
        ]

    def _hash(self, system: str, value: str) -> bytes:
        return self._session.keyring.lookup_hash("identifier", f"{system}\x1f{normalised(value)}")


def normalised(value: str) -> str:
    """A value as it is compared: compatibility forms folded, no case, no spaces."""
    if value.isascii():
        return "".join(value.lower().split())
    return "".join(unicodedata.normalize("NFKC", value).casefold().split())
