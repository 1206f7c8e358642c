"""Backup and restore: one file, the same from either database into either, sealed as a whole.

A backup is a snapshot of every table as lines of JSON: a header, batches of rows, the counts, and
an HMAC-SHA256 of all bytes before it. Values stay encrypted as they were, so that a backup is of no
use without the keyring. Nothing is restored from a file that is not whole and genuine.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import sqlalchemy as sa

from adapter.plugin.durable_files import sync_folder
from adapter.store import migrations, schema
from adapter.store.check import check
from adapter.store.dialect import Dialect, dialect_of
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


def _silent(_: str, __: int) -> None:
    return


def backup(store: Store, target: Path, *, progress: Progress = _silent) -> Manifest:
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
    # Of its own: two that make the same backup at once must not write into one file.
    part = target.with_name(f"{target.name}.{secrets.token_hex(4)}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            digest = _digest(store.keys.keyring)
            manifest = store.read_now(lambda tx: _write(tx, file, digest, progress))
            file.flush()
            os.fsync(file.fileno())
        part.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise StoreError(
            "backup.failed",
            f"The backup cannot be written ({error.strerror}).",
            fix="Check that there is space, and that the folder can be written.",
        ) from None
    finally:
        part.unlink(missing_ok=True)
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
    for line in _lines(source):
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


def restore(source: Path, url: str, keyring: Keyring, *, progress: Progress = _silent) -> Manifest:
    """Make a new store from a backup, and check it before it counts as done.

    Until every row is in it, which is one commit, nothing else opens the store, and the same
    backup can be restored into it again.

    Raises:
        StoreError: the file is not a whole and genuine backup of this keyring; the target is not
            empty, or a service uses it; or what was restored is not sound.
    """
    manifest = verify(source, keyring)
    dialect = dialect_of(url)
    let_go = dialect.hold()
    try:
        _fill(dialect, source, manifest, progress)
        store = Store.open(url, keyring)
        try:
            failed = [each.name for each in check(store) if each.state == "fail"]
        finally:
            store.close()
    finally:
        let_go()
    if failed:
        raise _not_sound(failed)
    return manifest


def _not_sound(failed: Sequence[str]) -> StoreError:
    return StoreError(
        "backup.not-sound",
        f"What was restored is not sound: {', '.join(failed)}.",
        fix="Use an older backup: the store was damaged before this one was made.",
    )


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


def _value(value: Any) -> Any:
    return base64.b64decode(value["b"]) if isinstance(value, dict) else value


def _lines(source: Path) -> Iterator[bytes]:
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


@contextmanager
def _transaction(dialect: Dialect) -> Iterator[sa.Connection]:
    engine = dialect.engine()
    try:
        with engine.begin() as connection:
            yield connection
    except sa.exc.DBAPIError as error:
        if isinstance(error.orig, Exception):
            raise dialect.fault(error.orig) from None
        raise
    finally:
        engine.dispose()


def _fill(dialect: Dialect, source: Path, manifest: Manifest, progress: Progress) -> None:
    """Every row of the backup into an unused store, in one transaction.

    It is marked before, so that nothing opens it meanwhile, and not if this is broken off.
    """
    migrations.prepare(dialect, manifest.revision)
    with _transaction(dialect) as connection:
        _unused_tables(connection, manifest.revision)
        migrations.mark(connection)
    try:
        with _transaction(dialect) as connection:
            _pour(connection, dialect, source, manifest, progress)
    except StoreError as error:
        if error.code == "backup.not-empty":  # a service that ran on it already wrote meanwhile
            with _transaction(dialect) as connection:
                migrations.unmark(connection)
        raise


def _pour(
    connection: sa.Connection,
    dialect: Dialect,
    source: Path,
    manifest: Manifest,
    progress: Progress,
) -> None:
    tables = _unused_tables(connection, manifest.revision)
    done: Counter[str] = Counter()
    for line in _lines(source):
        batch = orjson.loads(line)
        if batch.get("rows"):
            names = batch["columns"]
            rows = [dict(zip(names, map(_value, r), strict=True)) for r in batch["rows"]]
            connection.execute(sa.insert(tables[batch["table"]]), rows)
            done[batch["table"]] += len(rows)
            progress(batch["table"], done[batch["table"]])
    for table in tables.values():
        for statement in dialect.after_load(table):
            connection.exec_driver_sql(statement)
    # Before the commit: whoever starts with the store changes the numbers.
    wrong = [name for name, number in manifest.counts.items() if done[name] != number]
    if wrong:
        raise _not_sound(wrong)


_OF_A_START = frozenset(
    each.name
    for each in (
        schema.facts, schema.chains, schema.sites, schema.polls, schema.directories,
        schema.listed_programs,
    )
)  # fmt: skip
"""What a service writes by starting, and asking directories: all of it comes back by itself. That
the store is being restored is one of the facts."""


def _unused_tables(connection: sa.Connection, revision: str) -> dict[str, sa.Table]:
    """The tables as they are in the target, which may be of an older revision than ours; emptied.

    A store in which nothing ever happened may have been opened, or its service started, once.

    Raises:
        StoreError: something is there that a start alone does not leave, or the tables are not of
            the backup's revision.
    """
    metadata = sa.MetaData()
    metadata.reflect(connection)
    tables = {name: t for name, t in metadata.tables.items() if name in schema.metadata.tables}
    used = {
        name
        for name, table in tables.items()
        if connection.execute(sa.select(table).limit(1)).first() is not None
    }
    if used - _OF_A_START:
        raise StoreError(
            "backup.not-empty",
            "There is something in the store that the backup should go into.",
            fix="Restore into a new store, and point the configuration at it.",
        )
    stands = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one()
    if stands != revision:
        raise StoreError(
            "backup.other-tables",
            f"The store is empty, but has the tables of revision {stands}; the backup was made"
            f" with those of {revision}.",
            fix="Restore into a store that is not there yet.",
        )
    for name in sorted(used):
        connection.execute(sa.delete(tables[name]))
    return tables
