from __future__ import annotations

from typing import Any

import pytest

from adapter.security.keyring import Keyring
from adapter.store.check import check
from adapter.store.store import Store
from tests.integration.store.conftest import Clock
from tests.integration.store.test_backup import fill


def failed(store: Store) -> list[str]:
    return [each.name for each in check(store) if each.state == "fail"]


def spoil(store: Store, *statements: str) -> None:
    """Change the database behind the store's back."""
    connection: Any = store.dialect.connect(writer=True)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def test_a_sound_store_has_no_failed_check(store: Store, clock: Clock) -> None:
    assert failed(store) == []
    fill(store, clock)
    assert failed(store) == []


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("UPDATE outbox SET due_at = NULL", "lanes"),
        ("UPDATE outbox SET due_at = next_at WHERE state = 'due'", "order"),
        ("UPDATE chains SET sequence = sequence + 1 WHERE name = 'journal'", "journal"),
        ("UPDATE chains SET sequence = sequence - 1 WHERE name = 'audit'", "audit"),
        ("DELETE FROM inbox_bodies WHERE sequence = 2", "inbox-bodies"),
        ("DELETE FROM outbox_bodies WHERE sequence = 2", "outbox-bodies"),
    ],
)
def test_every_damage_is_named(store: Store, clock: Clock, statement: str, name: str) -> None:
    fill(store, clock)
    store.write_now(lambda tx: tx.outbox.release_claims())
    spoil(store, statement)
    assert failed(store) == [name]
    finding = next(each for each in check(store) if each.name == name)
    assert finding.fix
    assert finding.detail


def test_data_keys_of_a_forgotten_key_are_counted(
    store: Store, address: str, keyring: Keyring, clock: Clock
) -> None:
    fill(store, clock)
    rotated = keyring.rotated()
    store.keys.keyring = rotated.without(keyring.active)
    assert failed(store) == ["keys"]


def test_a_damaged_file_is_found(keyring: Keyring, tmp_path: Any, clock: Clock) -> None:
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}", keyring, clock=clock)
    fill(store, clock)
    spoil(store, "PRAGMA writable_schema=ON",
          "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema"
          " WHERE name = 'inbox_id') WHERE name = 'outbox_id'")  # fmt: skip
    store.close()
    again = Store.open(f"sqlite:///{path}", keyring, clock=clock)
    assert "integrity" in failed(again)
    again.close()
