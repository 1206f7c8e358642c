from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapter.security.keyring import Keyring
from adapter.store import migrations
from adapter.store import restore as restore_module
from adapter.store.backup import backup, verify
from adapter.store.check import check, counts, open_lanes
from adapter.store.dialect import dialect_of
from adapter.store.errors import StoreError
from adapter.store.restore import restore
from adapter.store.store import Store
from tests.integration.store.conftest import Clock
from tests.integration.store.postgres import Cluster
from tests.integration.store.test_canary import hits, plant
from tests.integration.store.test_migrations import Killed
from tests.integration.store.work import open_case, queue, receive


def fill(store: Store, clock: Clock) -> None:
    store.write_now(plant)
    for n in range(5):
        store.write_now(lambda tx, n=n: receive(tx, str(n)))
    one, two = store.write_now(open_case), store.write_now(open_case)
    for referral in (one, one, two, two):
        store.write_now(lambda tx, r=referral: queue(tx, r))
    first, _ = store.write_now(lambda tx: tx.outbox.claim_due(clock(), 2))
    store.write_now(lambda tx: tx.outbox.fail(first.id, "dead", code="c", error="e", fix="f"))


@pytest.fixture(params=["sqlite", "postgresql"])
def other_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/restored.db"
    started: Cluster = request.getfixturevalue("cluster")
    return started.new_database()


def test_a_backup_of_either_database_restores_into_either(
    store: Store, other_address: str, keyring: Keyring, clock: Clock, tmp_path: Path
) -> None:
    fill(store, clock)
    made = backup(store, tmp_path / "backup")
    assert restore(tmp_path / "backup", other_address, keyring) == made
    again = Store.open(other_address, keyring, clock=clock)
    try:
        look: list[Callable[..., object]] = [
            counts,
            open_lanes,
            lambda tx: tx.journal.after(0, 999),
            lambda tx: tx.audit.list(),
            lambda tx: [tx.inbox.get(row.id) for row in tx.inbox.list()],
            lambda tx: tx.cases.list(),
            lambda tx: [tx.outbox.get(row.id) for row in tx.outbox.list()],
            lambda tx: tx.resources.search("Patient"),
        ]
        for each in look:
            assert again.read_now(each) == store.read_now(each)
        assert all(finding.state != "fail" for finding in check(again))
        again.write_now(lambda tx: receive(tx, "after"))
        again.write_now(lambda tx: queue(tx, open_case(tx)))
        assert again.read_now(lambda tx: tx.journal.verify()) == []
        assert len(again.read_now(lambda tx: tx.inbox.list())) == made.counts["inbox"] + 1
    finally:
        again.close()


def test_no_canary_is_in_a_backup(store: Store, tmp_path: Path) -> None:
    store.write_now(plant)
    folder = tmp_path / "kept"
    folder.mkdir()
    backup(store, folder / "backup")
    (folder / "padding").write_bytes(bytes(50_000))
    assert hits(folder) == []
    assert (folder / "backup").stat().st_mode & 0o077 == 0


@pytest.fixture
def kept(tmp_path: Path, keyring: Keyring, clock: Clock) -> Path:
    store = Store.open(f"sqlite:///{tmp_path}/store.db", keyring, clock=clock)
    fill(store, clock)
    backup(store, tmp_path / "backup")
    store.close()
    return tmp_path / "backup"


def test_a_backup_with_one_flipped_bit_is_refused(kept: Path, keyring: Keyring) -> None:
    whole = kept.read_bytes()
    assert verify(kept, keyring).counts["inbox"] == 7
    for at in range(0, len(whole), len(whole) // 60):
        changed = bytearray(whole)
        changed[at] ^= 1 << (at % 8)
        kept.write_bytes(bytes(changed))
        with pytest.raises(StoreError, match="not-genuine"):
            verify(kept, keyring)


@pytest.mark.parametrize("part", [0, 1, 100, -1, -100, 5000])
def test_a_backup_that_is_cut_off_is_refused(kept: Path, keyring: Keyring, part: int) -> None:
    kept.write_bytes(kept.read_bytes()[:part])
    with pytest.raises(StoreError, match="not-genuine"):
        restore(kept, f"sqlite:///{kept.parent}/new.db", keyring)
    assert not (kept.parent / "new.db").exists()


def test_lines_taken_out_or_added_are_refused(kept: Path, keyring: Keyring) -> None:
    lines = kept.read_bytes().splitlines(keepends=True)
    for changed in (lines[:3] + lines[4:], [*lines, lines[-1]], [*lines[:4], *lines[3:]]):
        kept.write_bytes(b"".join(changed))
        with pytest.raises(StoreError, match="not-genuine"):
            verify(kept, keyring)


def test_a_backup_needs_its_own_keyring(kept: Path) -> None:
    with pytest.raises(StoreError, match="not-genuine"):
        verify(kept, Keyring.generate())


def test_a_backup_opens_with_its_keyring_rotated(kept: Path, keyring: Keyring) -> None:
    restore(kept, f"sqlite:///{kept.parent}/new.db", keyring.rotated())


def test_a_backup_is_not_restored_over_anything(kept: Path, keyring: Keyring) -> None:
    with pytest.raises(StoreError, match="not-empty"):
        restore(kept, f"sqlite:///{kept.parent}/store.db", keyring)


def test_a_backup_is_not_written_over_anything(kept: Path, keyring: Keyring) -> None:
    store = Store.open(f"sqlite:///{kept.parent}/store.db", keyring)
    try:
        with pytest.raises(StoreError, match="exists"):
            backup(store, kept)
        with pytest.raises(StoreError, match="failed"):
            backup(store, kept.parent / "absent" / "backup")
    finally:
        store.close()


def test_a_file_that_is_not_there_is_named(tmp_path: Path, keyring: Keyring) -> None:
    with pytest.raises(StoreError, match="unreadable"):
        verify(tmp_path / "absent", keyring)


@pytest.mark.parametrize("used", [False, True])
def test_a_restore_that_was_broken_off_is_known_and_can_be_made_again(
    kept: Path, other_address: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch, used: bool
) -> None:
    """Also where the store was opened once, as `init` and a first start do."""

    def killed(*_: object) -> None:
        raise Killed

    if used:
        Store.open(other_address, keyring).close()
    with monkeypatch.context() as patch:
        patch.setattr("adapter.store.restore._pour", killed)
        with pytest.raises(Killed):
            restore(kept, other_address, keyring)
    for create in (True, False):
        with pytest.raises(StoreError, match="half-restored"):
            Store.open(other_address, keyring, create=create)
    assert restore(kept, other_address, keyring).counts["inbox"] == 7
    Store.open(other_address, keyring).close()


def test_who_writes_while_a_backup_is_restored_keeps_the_store(
    kept: Path, other_address: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a service on PostgreSQL that ran before may do."""
    running = Store.open(other_address, keyring)
    unused = restore_module._unused_tables
    times: list[int] = []

    def looked(*words: Any) -> Any:
        if times:
            raise StoreError("backup.not-empty", "written meanwhile")
        times.append(1)
        return unused(*words)

    monkeypatch.setattr("adapter.store.restore._unused_tables", looked)
    with pytest.raises(StoreError, match="not-empty"):
        restore(kept, other_address, keyring)
    running.close()
    Store.open(other_address, keyring).close()


def test_a_store_in_use_is_not_taken_for_half_restored(kept: Path, keyring: Keyring) -> None:
    address = f"sqlite:///{kept.parent}/store.db"
    with pytest.raises(StoreError, match="not-empty"):
        restore(kept, address, keyring)
    Store.open(address, keyring).close()


def test_tables_of_another_revision_take_no_backup(
    kept: Path, other_address: str, keyring: Keyring
) -> None:
    migrations.upgrade(dialect_of(other_address), "0001")
    with pytest.raises(StoreError, match="other-tables"):
        restore(kept, other_address, keyring)


def test_two_who_make_the_same_backup_do_not_write_into_one_file(
    kept: Path, keyring: Keyring
) -> None:
    store = Store.open(f"sqlite:///{kept.parent}/store.db", keyring)
    target = kept.parent / "same"
    inner: list[str] = []

    def other(name: str, _: int) -> None:
        if not inner:
            inner.append(name)
            backup(store, target)

    try:
        backup(store, target, progress=other)
        assert verify(target, keyring).counts["inbox"] == 7
        assert list(kept.parent.glob("*.part")) == []
    finally:
        store.close()


def test_a_store_that_was_opened_and_never_used_takes_a_backup(
    store: Store, other_address: str, keyring: Keyring, clock: Clock, tmp_path: Path
) -> None:
    fill(store, clock)
    made = backup(store, tmp_path / "backup")
    started = Store.open(other_address, keyring)
    started.write_now(lambda tx: tx.sites.set("agency", "ready", organization="o"))
    started.close()
    assert restore(tmp_path / "backup", other_address, keyring) == made


def test_a_store_in_which_anything_happened_takes_none(
    store: Store, other_address: str, keyring: Keyring, tmp_path: Path
) -> None:
    backup(store, tmp_path / "backup")
    used = Store.open(other_address, keyring)
    used.write_now(
        lambda tx: tx.journal.append(organization="o", actor="a", kind="site.paused", data={})
    )
    used.close()
    with pytest.raises(StoreError) as caught:
        restore(tmp_path / "backup", other_address, keyring)
    assert caught.value.code == "backup.not-empty"
    again = Store.open(other_address, keyring)
    assert len(again.read_now(lambda tx: tx.journal.after(0, 9))) == 1
    again.close()


def test_what_was_damaged_before_the_backup_is_named(kept: Path, keyring: Keyring) -> None:
    store = Store.open(f"sqlite:///{kept.parent}/store.db", keyring)
    connection = store.dialect.connect(writer=True)
    connection.execute("DROP TRIGGER journal_no_update")
    connection.execute("UPDATE journal SET kind = 'another' WHERE sequence = 2")
    connection.close()
    backup(store, kept.parent / "damaged")
    store.close()
    with pytest.raises(StoreError, match="not-sound") as caught:
        restore(kept.parent / "damaged", f"sqlite:///{kept.parent}/new.db", keyring)
    assert "journal" in caught.value.message


def test_a_count_that_differs_leaves_nothing(
    kept: Path, other_address: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = verify(kept, keyring)
    more = replace(told, counts={**told.counts, "inbox": told.counts["inbox"] + 1})
    with monkeypatch.context() as patch:
        patch.setattr(restore_module, "verify", lambda *_: more)
        with pytest.raises(StoreError, match="not-sound"):
            restore(kept, other_address, keyring)
    with pytest.raises(StoreError, match="half-restored"):
        Store.open(other_address, keyring)
    assert restore(kept, other_address, keyring) == told
