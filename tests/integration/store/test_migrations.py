from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from adapter.security.keyring import Keyring
from adapter.store import migrations, schema
from adapter.store.check import check
from adapter.store.dialect import Dialect, dialect_of
from adapter.store.errors import StoreError
from adapter.store.lane_jobs import lacking
from adapter.store.store import Store
from tests.integration.store.work import receive


class Killed(BaseException):
    """Stands for the end of the process."""


@contextmanager
def killed_at(statement: int) -> Iterator[list[str]]:
    """Die just before a statement of the migration runs."""
    seen: list[str] = []

    def before(conn: Any, cursor: Any, sql: str, *rest: Any) -> None:
        seen.append(sql)
        if len(seen) == statement:
            raise Killed

    sa.event.listen(sa.Engine, "before_cursor_execute", before)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", before)


def tables(dialect: Dialect) -> set[str]:
    engine = dialect.engine()
    try:
        with engine.begin() as connection:
            return set(sa.inspect(connection).get_table_names())
    finally:
        engine.dispose()


def ours(thing: Any, name: str | None, kind: str, *_: Any) -> bool:
    """What Procrastinate brings with itself is checked by its own makers."""
    return not (kind == "table" and str(name).startswith("procrastinate_"))


def test_migrations_make_exactly_the_schema(empty_address: str) -> None:
    dialect = dialect_of(empty_address)
    migrations.upgrade(dialect)
    engine = dialect.engine()
    try:
        with engine.begin() as connection:
            context = MigrationContext.configure(connection, opts={"include_object": ours})
            assert context.get_current_revision() == schema.HEAD
            assert compare_metadata(context, schema.metadata) == []
    finally:
        engine.dispose()


def test_a_second_start_changes_nothing(empty_address: str) -> None:
    dialect = dialect_of(empty_address)
    migrations.upgrade(dialect)
    with killed_at(0) as seen:
        migrations.upgrade(dialect)
    assert seen == []


def test_a_migration_killed_at_any_statement_leaves_nothing_and_can_be_run_again(
    empty_address: str,
) -> None:
    dialect = dialect_of(empty_address)
    with killed_at(0) as every:
        migrations.upgrade(dialect_of(empty_address))
    reset(dialect)
    dialect = dialect_of(empty_address)
    step = 1 if dialect.name == "sqlite" else 5
    for statement in range(2, len(every) + 1, step):
        with killed_at(statement), pytest.raises(Killed):
            migrations.upgrade(dialect)
        assert tables(dialect) == set(), f"statement {statement}: {every[statement - 1]}"
    migrations.upgrade(dialect)
    assert tables(dialect) >= set(schema.metadata.tables)


def reset(dialect: Dialect) -> None:
    if dialect.name == "sqlite":
        path = dialect.url.database or ""
        connection = dialect.connect(writer=True)
        connection.close()
        for end in ("", "-wal", "-shm"):
            __import__("pathlib").Path(path + end).unlink(missing_ok=True)
        return
    connection = dialect.connect(writer=True)
    connection.execute("DROP SCHEMA public CASCADE")
    connection.execute("CREATE SCHEMA public")
    connection.close()


def test_a_store_of_a_later_version_is_not_touched(address: str, keyring: Keyring) -> None:
    Store.open(address, keyring).close()
    connection = dialect_of(address).connect(writer=True)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError) as caught:
        Store.open(address, keyring)
    assert caught.value.code == "store.newer"


def test_every_table_but_the_stores_own_says_whose_each_row_is() -> None:
    own = {"facts", "chains"}
    without = {
        name for name, table in schema.metadata.tables.items() if "organization" not in table.c
    }
    assert without == own


def test_a_store_opens_again_with_what_it_held(address: str, keyring: Keyring) -> None:
    store = Store.open(address, keyring)
    store.write_now(lambda tx: receive(tx, "1"))
    store.close()
    again = Store.open(address, keyring, create=False)
    assert [row.key for row in again.read_now(lambda tx: tx.inbox.list())] == ["1"]
    again.close()


def test_who_only_looks_makes_no_store_and_upgrades_none(
    empty_address: str, keyring: Keyring
) -> None:
    dialect = dialect_of(empty_address)
    with pytest.raises(StoreError) as caught:
        Store.open(empty_address, keyring, create=False, upgrade=False)
    assert caught.value.code == "store.absent"
    assert migrations.standing(dialect) is None

    migrations.upgrade(dialect, "0001")
    with pytest.raises(StoreError) as caught:
        Store.open(empty_address, keyring, create=False, upgrade=False)
    assert caught.value.code == "store.older"
    assert "0001" in caught.value.message
    assert migrations.standing(dialect) == "0001"
    Store.open(empty_address, keyring, create=False).close()
    Store.open(empty_address, keyring, create=False, upgrade=False).close()


KEYS = (b"first", b"second")


def old_store(address: str) -> Dialect:
    """A store of the first revision with a delivery that is due and a resource of two versions, as
    that revision wrote them."""
    dialect = dialect_of(address)
    migrations.upgrade(dialect, "0001")
    connection = dialect.connect(writer=True)
    test = "true" if dialect.name == "postgresql" else "1"
    connection.execute(
        "INSERT INTO outbox (id, organization, referral, destination, lane_sequence, event, kind,"
        " test, state, attempts, created_at, next_at, due_at)"
        f" VALUES ('d-1', 'o', 'r-1', 'agency', 1, 'request', '', {test}, 'due', 0, 1, 1, 1)"
    )
    connection.execute("INSERT INTO outbox_bodies (sequence, organization) VALUES (1, 'o')")
    no = "false" if dialect.name == "postgresql" else "0"
    for version, current in ((1, "NULL"), (2, "1")):
        connection.execute(
            "INSERT INTO resources (sequence, type, id, version, current, organization, deleted,"
            f" last_updated) VALUES ({version}, 'Task', 't', {version}, {current}, 'o', {no}, 1)"
        )
        for key in KEYS[:version]:  # the second version has one more
            literal = f"'\\x{key.hex()}'" if dialect.name == "postgresql" else f"x'{key.hex()}'"
            connection.execute(
                "INSERT INTO resource_keys (key, sequence, organization)"
                f" VALUES ({literal}, {version}, 'o')"
            )
    connection.close()
    return dialect


def test_a_store_of_the_first_version_is_brought_up_to_date_with_all_it_holds(
    empty_address: str, keyring: Keyring
) -> None:
    dialect = old_store(empty_address)
    assert migrations.standing(dialect) == "0001"
    store = Store.open(empty_address, keyring)
    try:
        assert migrations.standing(dialect) == schema.HEAD
        (row,) = store.read_now(lambda tx: tx.outbox.list())
        assert (row.id, row.state) == ("d-1", "due")
        assert [each for each in check(store) if each.state == "fail"] == []
        connection = dialect.connect(writer=False)
        rows = connection.execute("SELECT key, type, id FROM resource_keys ORDER BY key").fetchall()
        connection.close()
        assert [(bytes(row[0]), *row[1:]) for row in rows] == [(key, "Task", "t") for key in KEYS]
        if dialect.shared:
            assert store.read_now(lambda tx: lacking(tx, tx.now())) == 0
    finally:
        store.close()


def test_an_upgrade_killed_at_any_statement_leaves_the_old_version_and_can_be_run_again(
    empty_address: str,
) -> None:
    dialect = old_store(empty_address)
    statement, died = 1, True
    while died:
        statement += 1
        with killed_at(statement):
            try:
                migrations.upgrade(dialect)
            except Killed:
                assert migrations.standing(dialect) == "0001"
            else:
                died = False
    assert statement > 10
    assert migrations.standing(dialect) == schema.HEAD
