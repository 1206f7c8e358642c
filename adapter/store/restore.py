"""Restore: a new store from a backup, of either database into either.

Nothing is restored from a file that is not whole and genuine, nothing over a store that was used,
and nothing by halves: a store is marked before it is filled, and the commit that fills it takes the
mark away.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from adapter.store import migrations, schema
from adapter.store.backup import Manifest, Progress, lines, silent, verify
from adapter.store.check import check
from adapter.store.dialect import Dialect, dialect_of
from adapter.store.errors import StoreError
from adapter.store.keys import Keyring
from adapter.store.store import Store


def restore(source: Path, url: str, keyring: Keyring, *, progress: Progress = silent) -> Manifest:
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
    for line in lines(source):
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


def _value(value: Any) -> Any:
    return base64.b64decode(value["b"]) if isinstance(value, dict) else value
