"""Backup: one file, the same from either database into either, sealed as a whole.

A backup is a snapshot of every table as lines of JSON: a header, batches of rows, the counts, and
an HMAC-SHA256 of all bytes before it. Values stay encrypted as they were, so that a backup is of no
use without the keyring.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import sqlalchemy as sa

from adapter.plugin.durable_files import writing
from adapter.store import schema
from adapter.store.errors import StoreError
from adapter.store.keys import Keyring
from adapter.store.paging import pages
from adapter.store.store import Store
from adapter.store.transaction import Transaction

FORMAT = 1
Progress = Callable[[str, int], None]
"""Called with a table's name and how many of its rows are done."""
_LONGEST_LINE = 1 << 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds: the schema it was made with, when, and how many rows of each table."""

    revision: str
    created: datetime
    counts: dict[str, int]


def silent(_: str, __: int) -> None:
    """Tell nobody."""


def backup(store: Store, target: Path, *, progress: Progress = silent) -> Manifest:
    """Write a backup of one moment; the file is there only when it is whole and on the disk.

    Raises:
        StoreError: the target is there already, or cannot be written.
    """
    if target.exists():
        raise StoreError(
            "backup.exists",
            f"{target} is there already.",
            fix="Give another name, or move it away.",
        )
    try:
        with writing(target, mode=0o600) as file:
            digest = _digest(store.keys.keyring)
            manifest = store.read_now(lambda tx: _write(tx, file, digest, progress))
    except OSError as error:
        raise StoreError(
            "backup.failed",
            f"The backup cannot be written ({error.strerror}).",
            fix="Check that there is space, and that the folder can be written.",
        ) from None
    return manifest


def verify(source: Path, keyring: Keyring) -> Manifest:
    """Read a backup from end to end, and prove that no bit of it was changed.

    Raises:
        StoreError: it is not a backup, is cut off, was changed, or belongs to another keyring.
    """
    digest = _digest(keyring)
    waiting = b""
    before: Any = None
    header: Any = None
    for line in lines(source):
        if waiting:
            digest.update(waiting)
            before = waiting
            header = header or waiting
        waiting = line
    genuine = waiting == orjson.dumps({"mac": digest.hexdigest()}) + b"\n"
    if not genuine or before is None:
        raise StoreError(
            "backup.not-genuine",
            "This is not a whole, unchanged backup made with this keyring.",
            fix="Use another backup, or the keyring that was in use when it was made.",
        )
    told, found = orjson.loads(header), orjson.loads(before)
    if told.get("format") != FORMAT:
        raise StoreError(
            "backup.format",
            "The backup was written by a later version of the adapter.",
            fix="Restore it with that version.",
        )
    created = datetime.fromisoformat(told["created"])
    return Manifest(revision=told["revision"], created=created, counts=found["counts"])


def _digest(keyring: Keyring) -> hmac.HMAC:
    return hmac.new(keyring.derive("backup"), digestmod=hashlib.sha256)


def _write(tx: Transaction, file: BinaryIO, digest: hmac.HMAC, progress: Progress) -> Manifest:
    def line(value: Any) -> None:
        written = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
        digest.update(written)
        file.write(written)

    created = tx.now()
    line({"format": FORMAT, "revision": schema.HEAD, "created": created.isoformat()})
    found: dict[str, int] = {}
    for table in schema.metadata.sorted_tables:
        name = str(table.name)
        found[name] = 0
        flags = {n for n, c in enumerate(table.columns) if isinstance(c.type, sa.Boolean)}
        for rows in pages(tx.session, table):
            found[name] += len(rows)
            progress(name, found[name])
            plain = [[_plain(v, flag=n in flags) for n, v in enumerate(row)] for row in rows]
            line(
                {
                    "table": name,
                    "columns": [str(column.name) for column in table.columns],
                    "rows": plain,
                }
            )
    line({"counts": found})
    file.write(orjson.dumps({"mac": digest.hexdigest()}) + b"\n")
    return Manifest(revision=schema.HEAD, created=created, counts=found)


def _plain(value: Any, *, flag: bool) -> Any:
    if isinstance(value, bytes):
        return {"b": base64.b64encode(value).decode()}
    return bool(value) if flag else value


def lines(source: Path) -> Iterator[bytes]:
    """The lines of a backup; what they are, only `verify` shows.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        with source.open("rb") as file:
            while line := file.readline(_LONGEST_LINE):
                yield line
    except OSError as error:
        raise StoreError(
            "backup.unreadable",
            f"The backup cannot be read ({error.strerror}).",
            fix="Check the name of the file, and the rights to read it.",
        ) from None
