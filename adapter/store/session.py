"""One transaction as the repositories use it: run statements, seal and open values, tell time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa

from adapter.plugin.messages import Check
from adapter.store import failpoints, schema
from adapter.store.dialect import Dialect
from adapter.store.errors import ErasedError
from adapter.store.keys import Keyring
from adapter.store.sealing import DataKeys, Seal, Sealer
from adapter.store.statement import Statement

_facts = schema.facts
_PROOF = Statement(sa.select(_facts.c.value).where(_facts.c.name == sa.bindparam("of_name")))
_ADD_FACT = Statement(
    lambda dialect: (
        dialect.insert(_facts)
        .values(name=sa.bindparam("name"), value=sa.bindparam("value"))
        .on_conflict_do_nothing()
    )
)
_RENEW_FACT = Statement(
    sa.update(_facts)
    .where(_facts.c.name == sa.bindparam("of_name"))
    .values(value=sa.bindparam("new_value"))
)
_PROOF_PLACE = b"facts|value|keyring"
_MESSAGE = 1 << 16
"""Bytes: about the pages that the receipt of a referral and what follows from it write."""

Row = tuple[Any, ...]
Parameters = dict[str, Any]


class Session:
    """A connection inside a transaction. Not shared between threads."""

    __slots__ = (
        "_clock",
        "_cursor",
        "_dialect",
        "_errors",
        "_sealer",
        "keyring",
        "worker",
        "writes",
    )

    def __init__(
        self,
        cursor: Any,
        dialect: Dialect,
        keys: DataKeys,
        clock: Callable[[], datetime],
        *,
        writes: bool,
        worker: str,
    ) -> None:
        self._cursor = cursor
        self._dialect = dialect
        self._errors = dialect.errors
        self._sealer = Sealer(keys)
        self._clock = clock
        self.keyring: Keyring = keys.keyring
        self.writes = writes
        self.worker = worker

    @property
    def shared(self) -> bool:
        """True if several processes may deliver from this store."""
        return self._dialect.shared

    def now(self) -> datetime:
        """The time, with UTC offset."""
        return self._clock()

    def run(self, statement: Statement, parameters: Parameters) -> int:
        """Run one statement; the number of rows that it changed.

        Raises:
            StoreError: the database refused it, or cannot.
        """
        self._execute(statement, parameters)
        count: int = self._cursor.rowcount
        return count

    def many(self, statement: Statement, parameters: Sequence[Parameters]) -> int:
        """Run one statement for each set of parameters; the number of rows changed in all."""
        if not parameters:
            return 0
        compiled = statement.on(self._dialect)
        values = compiled.values
        if failpoints.armed is not None:
            failpoints.statement(compiled.sql)
        try:
            self._cursor.executemany(compiled.sql, [values(each) for each in parameters])
        except self._errors as error:
            raise self._dialect.fault(error) from None
        count: int = self._cursor.rowcount
        return count

    def row(self, statement: Statement, parameters: Parameters) -> Row | None:
        """The first row, or None."""
        self._execute(statement, parameters)
        found: Row | None = self._cursor.fetchone()
        return found

    def rows(self, statement: Statement, parameters: Parameters) -> list[Row]:
        """Every row."""
        self._execute(statement, parameters)
        found: list[Row] = self._cursor.fetchall()
        return found

    def _execute(self, statement: Statement, parameters: Parameters) -> None:
        compiled = statement.on(self._dialect)
        if failpoints.armed is not None:
            failpoints.statement(compiled.sql)
        try:
            self._cursor.execute(compiled.sql, compiled.values(parameters))
        except self._errors as error:
            raise self._dialect.fault(error) from None

    def seal(self, organization: str, owner: str | None, place: str, plain: bytes) -> bytes:
        """Encrypt a value under its owner's data key; `place` is ``table|column|row``."""
        return self._sealer.seal(self, organization, owner, place, plain)

    def sealing(self, organization: str, owner: str | None) -> Seal:
        """As `seal`, for many values of one owner."""
        return self._sealer.sealing(self, organization, owner)

    def open(self, place: str, sealed: bytes | None) -> bytes:
        """Decrypt a value; nothing gives nothing."""
        return b"" if sealed is None else self._sealer.open(self, place, sealed)

    def new_owner(self, organization: str, owner: str) -> None:
        """Make the data key of a referral that is new."""
        self._sealer.new_owner(self, organization, owner)

    def seal_json(self, organization: str, owner: str | None, place: str, value: Any) -> bytes:
        """Encrypt a JSON value."""
        return self.seal(organization, owner, place, orjson.dumps(value))

    def open_json(self, place: str, sealed: bytes | None) -> Any:
        """Decrypt a JSON value; nothing gives None."""
        return None if sealed is None else orjson.loads(self.open(place, sealed))

    def open_json_unless_erased(self, place: str, sealed: bytes) -> Any:
        """Decrypt a JSON value that stays after its person was erased; then None."""
        try:
            return self.open_json(place, sealed)
        except ErasedError:
            return None

    def key_is_proven(self) -> bool:
        """True if this store was made with this keyring; False if it has no proof yet.

        Raises:
            ConfigError: it was made with another keyring.
        """
        row = self.row(_PROOF, {"of_name": "keyring"})
        if row is not None:
            self.keyring.open(bytes(row[0]), _PROOF_PLACE)
        return row is not None

    def prove_key_is_kept(self) -> None:
        """Prove that this store could be opened with the key file as it is now.

        Raises:
            ConfigError: it could not.
        """
        row = self.row(_PROOF, {"of_name": "keyring"})
        if row is not None:
            self.keyring.prove_kept(bytes(row[0]))

    def leave_proof(self) -> bool:
        """Write what a later start proves its keyring with; False if somebody did already."""
        sealed = self.keyring.seal(b"keyring", _PROOF_PLACE)
        return self.run(_ADD_FACT, {"name": "keyring", "value": sealed}) == 1

    def renew_proof(self) -> None:
        """Seal the proof of the keyring with the key that is active now."""
        self.keyring.refresh()
        sealed = self.keyring.seal(b"keyring", _PROOF_PLACE)
        self.run(_RENEW_FACT, {"of_name": "keyring", "new_value": sealed})

    def leave_sign_of_life(self, *, as_large_as_a_message: bool = True) -> None:
        """Write something, so that it shows whether the store can be written.

        A full disk has room for a line long after it has none for a message.
        """
        name, size = ("room", _MESSAGE) if as_large_as_a_message else ("alive", 16)
        value = os.urandom(size)  # what is the same as before is not written
        if self.run(_RENEW_FACT, {"of_name": name, "new_value": value}) == 0:
            self.run(_ADD_FACT, {"name": name, "value": value})

    def integrity(self) -> Check:
        """What the database itself says about its soundness."""
        try:
            return self._dialect.integrity(self._cursor)
        except self._errors as error:
            raise self._dialect.fault(error) from None

    def committed(self) -> None:
        """Called once, after the commit."""
        self._sealer.committed()
