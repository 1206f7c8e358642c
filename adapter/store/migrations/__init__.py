"""Bring the tables of a store up to date.

The whole way is one transaction on either database, so that a process killed at any statement
leaves what was there before. Two processes that start together wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from adapter.store.dialect import Dialect
from adapter.store.errors import StoreError
from adapter.store.schema import HEAD

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

RESTORING = "restoring"
"""The name of the fact that stands in a store while a backup is restored into it."""

_FACTS = sa.table("facts", sa.column("name"), sa.column("value", sa.LargeBinary))

Then = Callable[[sa.Connection], None]
"""What is done in the transaction of a migration, after it."""


def upgrade(dialect: Dialect, revision: str = HEAD) -> None:
    """Make or upgrade every table, up to a revision.

    Raises:
        StoreError: the store was written by a later version of the adapter, a restore into it is
            not at its end, or it cannot be opened.
    """
    connection = dialect.connect(writer=True)
    try:
        stands = version_of(dialect, connection)
        if stands is not None:
            _refuse_half_restored(dialect, connection)
        if stands != revision:
            _migrate(dialect, connection, revision)
    finally:
        connection.close()


def prepare(dialect: Dialect, revision: str) -> None:
    """Make the tables for a restore where there are none; the same transaction marks the store, so
    that nothing else opens it until `RESTORING` is taken away.

    Raises:
        StoreError: the store cannot be opened.
    """
    connection = dialect.connect(writer=True)
    try:
        if version_of(dialect, connection) is None:
            _migrate(dialect, connection, revision, mark)
    finally:
        connection.close()


def mark(connection: sa.Connection) -> None:
    """Let nothing open this store, which nobody used yet, until the mark is taken away."""
    if connection.execute(sa.select(_FACTS.c.name)).first() is None:
        connection.execute(sa.insert(_FACTS).values(name=RESTORING, value=b""))


def unmark(connection: sa.Connection) -> None:
    """Take the mark away."""
    connection.execute(sa.delete(_FACTS).where(_FACTS.c.name == RESTORING))


def _refuse_half_restored(dialect: Dialect, connection: Any) -> None:
    cursor = connection.cursor()
    try:
        cursor.execute(f"SELECT 1 FROM facts WHERE name = '{RESTORING}'")  # noqa: S608 - our own name
        found = cursor.fetchone()
    except dialect.errors as error:
        raise dialect.fault(error) from None
    if found is not None:
        raise StoreError(
            "store.half-restored",
            "A backup is being restored into this store, or that was broken off; nothing is in it.",
            fix="Wait for its end. If it was broken off, run `adapter db restore` with it again.",
        )


def version_of(dialect: Dialect, connection: Any) -> str | None:
    """The revision that the store stands at, or None where there is none."""
    cursor = connection.cursor()
    try:
        cursor.execute("SELECT version_num FROM alembic_version")
        row = cursor.fetchone()
    except dialect.errors as error:
        if not dialect.is_missing_table(error):
            raise dialect.fault(error) from None
        return None
    return None if row is None else str(row[0])


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _scripts() -> ScriptDirectory:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_config())


def _newer() -> StoreError:
    return StoreError(
        "store.newer",
        "The store was written by a later version of the adapter.",
        fix="Install that version again, or restore a backup of this version.",
    )


def _migrate(dialect: Dialect, connection: Any, revision: str, then: Then | None = None) -> None:
    from alembic import command
    from alembic.util import CommandError

    config = _config()
    config.attributes["dialect"] = dialect
    config.attributes["then"] = then
    known = {script.revision for script in _scripts().walk_revisions()}
    stands = version_of(dialect, connection)
    if (stands is not None and stands not in known) or revision not in known:
        raise _newer()
    try:
        command.upgrade(config, revision)
    except dialect.errors as error:
        raise dialect.fault(error) from None
    except CommandError as error:
        raise StoreError(
            "store.migration", "The tables could not be brought up to date.", detail=str(error)
        ) from None


def prove(dialect: Dialect, *, any_version: bool) -> None:
    """That there is a whole store, and of this version unless `any_version`; changes nothing.

    Raises:
        StoreError: there is none, it is of another version, a restore into it is not at its end, or
            it cannot be opened.
    """
    stands = standing(dialect)
    if stands is None:
        raise StoreError(
            "store.absent",
            "There is no store at this address.",
            fix="Check the address in the configuration. `adapter serve` makes a new store there,"
            " `adapter db restore` one from a backup.",
        )
    if any_version:
        return
    if stands == HEAD:
        connection = dialect.connect(writer=False)
        try:
            _refuse_half_restored(dialect, connection)
        finally:
            connection.close()
        return
    if stands not in {each.revision for each in _scripts().walk_revisions()}:
        raise _newer()
    raise StoreError(
        "store.older",
        f"The tables of the store stand at {stands}, and this version of the adapter wants {HEAD}.",
        fix="Make a backup with the version that the store is of, then run: adapter db upgrade",
    )


def standing(dialect: Dialect) -> str | None:
    """The revision that a store stands at, or None where there is none; changes nothing.

    Raises:
        StoreError: it cannot be opened.
    """
    if not dialect.exists():
        return None
    connection = dialect.connect(writer=False)
    try:
        return version_of(dialect, connection)
    finally:
        connection.close()
