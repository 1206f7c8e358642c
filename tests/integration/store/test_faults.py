from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.plugin.errors import ConfigError
from adapter.security.keyring import Keyring
from adapter.store.backup import backup
from adapter.store.dialect import dialect_of
from adapter.store.dialect import sqlite as dialects
from adapter.store.erasure import erase
from adapter.store.errors import StoreError, StoreFault
from adapter.store.restore import restore
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.store.postgres import Cluster, running_cluster
from tests.integration.store.work import ORGANIZATION, open_case, receive


@pytest.fixture
def on_disk(tmp_path: Path, keyring: Keyring) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/store.db", keyring)
    yield opened
    opened.close()


def full_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's own limit on the file's size: it then reports a full disk."""
    connect = dialects.Sqlite.connect

    def limited(self: dialects.Sqlite, *, writer: bool) -> sqlite3.Connection:
        connection = connect(self, writer=writer)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 2}")
        return connection

    monkeypatch.setattr(dialects.Sqlite, "connect", limited)
    store._writer._drop()


def test_a_full_disk_refuses_and_heals_by_itself(
    on_disk: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk.write_now(lambda tx: receive(tx, "before"))
    with monkeypatch.context() as patched:
        full_disk(on_disk, patched)
        with pytest.raises(StoreFault) as caught:
            on_disk.write_now(lambda tx: receive(tx, "lost", b"x" * 1_000_000))
        assert caught.value.code == "store.full"
        assert caught.value.fix
        assert [row.key for row in on_disk.read_now(lambda tx: tx.inbox.list())] == ["before"]
    on_disk._writer._drop()
    on_disk.write_now(lambda tx: receive(tx, "after", b"x" * 1_000_000))
    assert [row.key for row in on_disk.read_now(lambda tx: tx.inbox.list())] == ["before", "after"]
    assert on_disk.read_now(lambda tx: tx.journal.verify()) == []


def test_a_sign_of_life_needs_as_much_room_on_the_disk_as_a_message(
    on_disk: Store, tmp_path: Path
) -> None:
    journal = tmp_path / "store.db-wal"
    sizes = []
    for _ in range(3):
        on_disk.write_now(lambda tx: tx.session.leave_sign_of_life())
        sizes.append(journal.stat().st_size)
    assert sizes[1] - sizes[0] >= 1 << 16
    assert sizes[2] - sizes[1] >= 1 << 16


def test_a_store_held_by_another_program_is_locked(
    tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialects, "BUSY_SECONDS", 0.05)
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}", keyring)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StoreFault) as caught:
            store.write_now(lambda tx: receive(tx, "1"))
        assert caught.value.code == "store.locked"
        holder.execute("ROLLBACK")
        store.write_now(lambda tx: receive(tx, "1"))
    finally:
        holder.close()
        store.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path, keyring: Keyring) -> None:
    (tmp_path / "store.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(StoreError) as caught:
        Store.open(f"sqlite:///{tmp_path}/store.db", keyring)
    assert caught.value.code == "store.not-a-store"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, keyring: Keyring) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(f"sqlite:///{tmp_path}/absent/store.db", keyring)
    assert caught.value.code == "store.cannot-open"


def test_a_store_that_must_exist_is_not_made(tmp_path: Path, keyring: Keyring) -> None:
    with pytest.raises(StoreError) as caught:
        Store.open(f"sqlite:///{tmp_path}/store.db", keyring, create=False)
    assert caught.value.code == "store.absent"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "address", ["mysql://host/db", "sqlite://", "sqlite:///:memory:", "no address", ""]
)
def test_an_address_of_no_known_store_is_refused(address: str) -> None:
    with pytest.raises(StoreError) as caught:
        dialect_of(address)
    assert caught.value.code == "store.address"


def test_sqlite_without_full_sync_is_refused(
    tmp_path: Path, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialects, "_FULL", 3)  # as if the library had kept less than was asked
    with pytest.raises(StoreFault) as caught:
        Store.open(f"sqlite:///{tmp_path}/store.db", keyring)
    assert caught.value.code == "store.not-durable"


def test_every_sqlite_connection_keeps_what_it_acknowledges(on_disk: Store) -> None:
    for writer in (True, False):
        connection = on_disk.dialect.connect(writer=writer)
        try:
            mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
            sync = connection.execute("PRAGMA synchronous").fetchone()[0]
        finally:
            connection.close()
        assert (mode, sync) == ("wal", 2)


def test_a_postgresql_that_does_not_flush_is_refused(cluster: Cluster, keyring: Keyring) -> None:
    address = cluster.new_database()
    with pytest.raises(StoreFault) as caught:
        Store.open(f"{address}?options=-csynchronous_commit%3Doff", keyring)
    assert caught.value.code == "store.not-durable"


@pytest.mark.parametrize(
    ("change", "code"),
    [("/absent_database", "store.refused"), ("", "store.down")],
)
def test_a_postgresql_that_cannot_be_reached_is_named(
    cluster: Cluster, keyring: Keyring, change: str, code: str
) -> None:
    address = f"postgresql://postgres@127.0.0.1:{cluster.port if change else 1}{change or '/x'}"
    with pytest.raises(StoreFault) as caught:
        Store.open(address, keyring)
    assert caught.value.code == code


def test_a_server_that_crashes_costs_nothing_that_was_acknowledged(keyring: Keyring) -> None:
    with running_cluster() as own:
        store = Store.open(own.new_database(), keyring)
        store.write_now(lambda tx: receive(tx, "before"))
        own.stop(signal.SIGQUIT)
        for _ in range(2):
            with pytest.raises(StoreFault) as caught:
                store.write_now(lambda tx: receive(tx, "meanwhile"))
            assert caught.value.code == "store.down"
            with pytest.raises(StoreFault):
                store.read_now(lambda tx: tx.inbox.list())
        own.start()
        store.write_now(lambda tx: receive(tx, "after"))
        kept = [row.key for row in store.read_now(lambda tx: tx.inbox.list())]
        assert kept == ["before", "after"]
        assert store.read_now(lambda tx: tx.journal.verify()) == []
        store.close()


def test_another_keyring_does_not_open_the_store(
    store: Store, address: str, keyring: Keyring
) -> None:
    with pytest.raises(ConfigError) as caught:
        Store.open(address, Keyring.generate())
    assert caught.value.code == "keyring.unknown-key"
    assert caught.value.fix
    Store.open(address, keyring.rotated()).close()


def test_a_new_store_can_be_read_by_its_owner_alone(tmp_path: Path, keyring: Keyring) -> None:
    opened = Store.open(f"sqlite:///{tmp_path}/store.db", keyring)
    opened.write_now(lambda tx: receive(tx, "one"))
    modes = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.glob("store.db*")}
    opened.close()
    assert {"store.db", "store.db-wal", "store.db-shm"} <= set(modes)
    assert set(modes.values()) == {0o600}


def test_nothing_is_acknowledged_into_a_file_that_was_taken_away(
    on_disk: Store, tmp_path: Path
) -> None:
    """SQLite goes on writing into it, and whoever restores a backup takes it away first."""
    on_disk.write_now(lambda tx: receive(tx, "before"))
    away = tmp_path / "away"
    away.mkdir()
    for file in tmp_path.glob("store.db*"):
        file.rename(away / file.name)
    for _ in range(2):
        with pytest.raises(StoreFault, match="replaced"):
            on_disk.write_now(lambda tx: receive(tx, "lost"))
    assert list(tmp_path.glob("store.db*")) == []
    for file in away.iterdir():
        file.rename(tmp_path / file.name)
    on_disk.write_now(lambda tx: receive(tx, "after"))
    assert [row.key for row in on_disk.read_now(lambda tx: tx.inbox.list())] == ["before", "after"]
    assert on_disk.read_now(lambda tx: tx.journal.verify()) == []


def test_what_is_put_in_its_place_is_not_used_before_the_next_start(
    on_disk: Store, tmp_path: Path, keyring: Keyring
) -> None:
    on_disk.write_now(lambda tx: receive(tx, "1"))
    backup(on_disk, tmp_path / "kept")
    for file in tmp_path.glob("store.db*"):
        file.unlink()
    restore(tmp_path / "kept", f"sqlite:///{tmp_path}/store.db", keyring)
    with pytest.raises(StoreFault, match="replaced"):
        on_disk.write_now(lambda tx: receive(tx, "2"))
    again = Store.open(f"sqlite:///{tmp_path}/store.db", keyring)
    assert [row.key for row in again.read_now(lambda tx: tx.inbox.list())] == ["1"]
    again.close()


def test_a_backup_is_not_restored_under_a_service(
    on_disk: Store, tmp_path: Path, keyring: Keyring
) -> None:
    backup(on_disk, tmp_path / "kept")
    on_disk.hold()
    with pytest.raises(StoreError, match="in-use"):
        restore(tmp_path / "kept", f"sqlite:///{tmp_path}/store.db", keyring)


def test_a_database_that_came_back_older_is_sealed_with_keys_that_it_has(on_disk: Store) -> None:
    """As after a change to a standby that had not everything yet."""
    referral = on_disk.write_now(open_case)

    def seal(tx: Transaction) -> bytes:
        return tx.session.seal(ORGANIZATION, referral, "a|b|c", b"news")

    on_disk.write_now(seal)
    connection = on_disk.dialect.connect(writer=True)
    connection.execute("DELETE FROM data_keys WHERE owner = ?", (referral,))
    connection.close()
    on_disk._writer._drop()  # the server was away meanwhile
    sealed = on_disk.write_now(seal)
    on_disk.keys.forget()
    assert on_disk.read_now(lambda tx: tx.session.open("a|b|c", sealed)) == b"news"


def test_an_erasure_beside_a_long_reader_says_what_is_still_there(
    on_disk: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialects, "BUSY_SECONDS", 0.05)
    referral = on_disk.write_now(open_case)
    reader = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM cases").fetchone()
    try:
        with pytest.raises(StoreFault, match="not-scrubbed"):
            erase(on_disk, [referral], actor="a", reason="r")
    finally:
        reader.close()
    on_disk.close()
    assert [file.name for file in tmp_path.glob("store.db*")] == ["store.db"]
