"""Envelope encryption of values: each is sealed with a data key, each data key with the keyring.

There is a data key for each referral, and one for each organization for what belongs to no
referral. Destroying a referral's data key makes every value about it unreadable, wherever a copy
lies; a new key in the keyring needs only the data keys to be wrapped again.

A sealed value is: format byte 2, data key id (16), nonce (12), AES-256-GCM ciphertext and tag. The
additional data is table, column and row id, so that a value cannot be moved.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapter.store import schema
from adapter.store.errors import ErasedError, StoreError
from adapter.store.ids import new_id
from adapter.store.keys import Keyring
from adapter.store.randomness import fresh
from adapter.store.statement import Statement, insert_all
from adapter.store.times import to_micros

if TYPE_CHECKING:
    from adapter.store.session import Session

_FORMAT = b"\x02"
_NONCE = 17
_BODY = 29
_CACHED = 4096
_TRUSTED_SECONDS = 60.0

_t = schema.data_keys
_BY_OWNER = Statement(
    sa.select(_t.c.id, _t.c.wrapped)
    .where(_t.c.owner == sa.bindparam("owner"), _t.c.destroyed_at.is_(None))
    .order_by(_t.c.id.desc())
    .limit(1)
)
_BY_ID = Statement(sa.select(_t.c.wrapped, _t.c.owner).where(_t.c.id == sa.bindparam("id")))
_ADD = insert_all(_t)

DataKey = tuple[bytes, AESGCM]
Seal = Callable[[str, bytes], bytes]
"""(place, value) to the sealed value."""


class DataKeys:
    """The data keys in use, unwrapped, the oldest first out. Safe for threads.

    Another process may destroy one, so that none is trusted for longer than a minute.
    """

    def __init__(self, keyring: Keyring) -> None:
        self.keyring = keyring
        self._lock = threading.Lock()
        self._owners: OrderedDict[str, DataKey] = OrderedDict()
        self._ids: OrderedDict[bytes, AESGCM] = OrderedDict()
        self._until = 0.0

    def of_owner(self, owner: str) -> DataKey | None:
        """The key that seals for an owner, if it is at hand."""
        with self._lock:
            self._expire()
            return self._owners.get(owner)

    def of_id(self, key_id: bytes) -> AESGCM | None:
        """The key that a value names, if it is at hand."""
        with self._lock:
            self._expire()
            return self._ids.get(key_id)

    def keep(self, keys: Iterable[tuple[str | None, DataKey]]) -> None:
        """Keep keys that are committed; an owner of None is one that is not known."""
        with self._lock:
            for owner, (key_id, cipher) in keys:
                self._ids[key_id] = cipher
                if owner is not None:
                    self._owners[owner] = (key_id, cipher)
            for kept in (self._owners, self._ids):
                while len(kept) > _CACHED:
                    kept.popitem(last=False)

    def _expire(self) -> None:
        now = time.monotonic()
        if now > self._until:
            self.keyring.refresh()  # so that no process seals with a key that is rotated out
            self._owners.clear()
            self._ids.clear()
            self._until = now + _TRUSTED_SECONDS

    def forget(self) -> None:
        """Drop every key: one of them may have been destroyed."""
        with self._lock:
            self._owners.clear()
            self._ids.clear()


class Sealer:
    """Seals and opens values inside one transaction.

    A data key made here is shared with others only when the transaction is committed: a key that
    was rolled back must never seal anything again.
    """

    __slots__ = ("_fresh", "_keys")

    def __init__(self, keys: DataKeys) -> None:
        self._keys = keys
        self._fresh: dict[str, DataKey] = {}

    @property
    def keyring(self) -> Keyring:
        """The keyring behind the data keys."""
        return self._keys.keyring

    def seal(
        self, session: Session, organization: str, owner: str | None, place: str, plain: bytes
    ) -> bytes:
        """Encrypt a value of a referral (`owner`), or of the organization if there is none.

        `place` is ``table|column|row``.
        """
        return self.sealing(session, organization, owner)(place, plain)

    def sealing(self, session: Session, organization: str, owner: str | None) -> Seal:
        """What encrypts one value of an owner after the other, whose key is looked up once."""
        name = owner or f"organization:{organization}"
        key_id, cipher = (
            self._fresh.get(name)
            or self._keys.of_owner(name)
            or self._find(session, name)
            or self._make(session, organization, name)
        )
        start, encrypt = _FORMAT + key_id, cipher.encrypt

        def seal(place: str, plain: bytes) -> bytes:
            nonce = fresh(12)
            return start + nonce + encrypt(nonce, plain, place.encode())

        return seal

    def new_owner(self, session: Session, organization: str, owner: str) -> None:
        """Make a data key for an owner that is new, without looking for one first."""
        if owner not in self._fresh and self._keys.of_owner(owner) is None:
            self._make(session, organization, owner)

    def open(self, session: Session, place: str, sealed: bytes) -> bytes:
        """What was sealed at this place.

        Raises:
            ErasedError: its key was destroyed.
            StoreError: the value was changed or moved.
        """
        key_id = sealed[1:_NONCE]
        cipher = self._keys.of_id(key_id) or self._load(session, key_id)
        try:
            return cipher.decrypt(sealed[_NONCE:_BODY], sealed[_BODY:], place.encode())
        except (InvalidTag, ValueError):
            raise _changed(place) from None

    def committed(self) -> None:
        """The transaction is durable: its new keys may be used by others."""
        if self._fresh:
            self._keys.keep(self._fresh.items())
            self._fresh = {}

    def _find(self, session: Session, owner: str) -> DataKey | None:
        row = session.row(_BY_OWNER, {"owner": owner})
        if row is None:
            return None
        found = (bytes(row[0]), self._unwrap(bytes(row[0]), row[1]))
        self._fresh[owner] = found
        return found

    def _make(self, session: Session, organization: str, owner: str) -> DataKey:
        key_id = bytes.fromhex(new_id().replace("-", ""))
        key = AESGCM.generate_key(256)
        keyring = self._keys.keyring
        keyring.refresh()  # a process that stood still for long may have missed a rotation
        session.run(
            _ADD,
            {
                "id": key_id,
                "organization": organization,
                "owner": owner,
                "key_id": keyring.active,
                "wrapped": keyring.seal(key, wrap_place(key_id)),
                "created_at": to_micros(session.now()),
                "destroyed_at": None,
            },
        )
        made = self._fresh[owner] = (key_id, AESGCM(key))
        return made

    def _load(self, session: Session, key_id: bytes) -> AESGCM:
        for fresh_id, cipher in self._fresh.values():
            if fresh_id == key_id:
                return cipher
        row = session.row(_BY_ID, {"id": key_id})
        if row is None:
            raise StoreError(
                "store.no-data-key",
                "The data key of a stored value is not in the store.",
                fix="Run `adapter db check`, and restore from a backup.",
            )
        if row[0] is None:
            raise ErasedError(
                "store.erased",
                "This person was erased; what was stored about them can no longer be read.",
                fix="Nothing can be done, and nothing needs to be: this is what erasing means.",
            )
        cipher = self._unwrap(key_id, row[0])
        if session.writes:  # who opens a value to change something seals what comes of it
            self._fresh.setdefault(row[1], (key_id, cipher))
        else:
            self._keys.keep([(None, (key_id, cipher))])
        return cipher

    def _unwrap(self, key_id: bytes, wrapped: bytes) -> AESGCM:
        return AESGCM(self._keys.keyring.open(wrapped, wrap_place(key_id)))


def wrap_place(key_id: bytes) -> bytes:
    """What is authenticated with a wrapped data key."""
    return b"data_keys|wrapped|" + key_id


def _changed(place: str) -> StoreError:
    table, column, _ = place.split("|", 2)
    return StoreError(
        "store.changed",
        f"A value of {table}.{column} was changed or moved by something other than the adapter.",
        fix="Run `adapter db check`, and restore from a backup.",
    )
