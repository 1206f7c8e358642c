"""Signed checkpoints: where each chain stood, said so that it can be kept in a second place.

The seal of a chain's head shows that the end was cut off, unless an older state of the whole
database was put back. A checkpoint that lies elsewhere shows that too, and its Ed25519 signature
(RFC 8032) can be verified by somebody who has only the public key.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import sqlalchemy as sa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapter.store import audit, journal
from adapter.store.chain import ChainProblem
from adapter.store.errors import StoreError
from adapter.store.keys import Keyring
from adapter.store.statement import Statement
from adapter.store.transaction import Transaction

_CHAINS = {chain.name: chain for chain in (journal.CHAIN, audit.CHAIN)}
_HASH_AT = {
    chain.name: Statement(
        sa.select(chain.table.c.hash).where(chain.table.c.sequence == sa.bindparam("at"))
    )
    for chain in _CHAINS.values()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """Chain `chain` had `sequence` entries at a time, and the last one's hash was `hash` (hex)."""

    chain: str
    sequence: int
    hash: str
    at: datetime
    signature: str

    def to_json(self) -> bytes:
        """One line of JSON."""
        return orjson.dumps(
            {**_said(self.chain, self.sequence, self.hash, self.at), "signature": self.signature}
        )


def public_key(keyring: Keyring) -> str:
    """The Ed25519 public key that verifies this installation's checkpoints, as base64."""
    raw = _private(keyring).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return base64.b64encode(raw).decode()


def checkpoints(tx: Transaction) -> list[Checkpoint]:
    """A signed checkpoint of each chain as it stands now."""
    key = _private(tx.keyring)
    made, at = [], tx.now()
    for chain in _CHAINS.values():
        head = chain.head(tx.session)
        said = _said(chain.name, head.sequence, head.hash.hex(), at)
        made.append(
            Checkpoint(
                chain=chain.name,
                sequence=head.sequence,
                hash=head.hash.hex(),
                at=at,
                signature=base64.b64encode(key.sign(orjson.dumps(said))).decode(),
            )
        )
    return made


def read(line: bytes, verifying_key: str) -> Checkpoint:
    """A checkpoint from its line.

    Raises:
        StoreError: it is not a checkpoint, or was not signed by this key.
    """
    try:
        told: dict[str, Any] = orjson.loads(line)
        signature = told.pop("signature")
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(verifying_key))
        key.verify(base64.b64decode(signature), orjson.dumps(told))
        at = datetime.fromisoformat(told.pop("at"))
        return Checkpoint(**told, at=at, signature=signature)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidSignature):
        raise StoreError(
            "checkpoint.not-genuine",
            "A line is not a checkpoint that this installation signed.",
            fix="Look who changed the file of checkpoints, and use a copy from elsewhere.",
        ) from None


def verify(tx: Transaction, kept: Iterable[Checkpoint]) -> list[ChainProblem]:
    """Every checkpoint that the chains no longer agree with."""
    found = []
    for each in kept:
        if each.sequence == 0:
            continue
        row = tx.session.row(_HASH_AT[each.chain], {"at": each.sequence})
        if row is None:
            found.append(ChainProblem(each.chain, each.sequence, "truncated"))
        elif bytes(row[0]).hex() != each.hash:
            found.append(ChainProblem(each.chain, each.sequence, "changed"))
    return found


def _private(keyring: Keyring) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(keyring.derive("checkpoint signature"))


def _said(chain: str, sequence: int, last: str, at: datetime) -> dict[str, Any]:
    return {"chain": chain, "sequence": sequence, "hash": last, "at": at.isoformat()}
