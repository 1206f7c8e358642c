from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from adapter.security.keyring import Keyring
from adapter.store import checkpoint
from adapter.store.chain import ChainProblem
from adapter.store.checkpoint import checkpoints, public_key, read
from adapter.store.errors import StoreError
from adapter.store.store import Store
from tests.integration.store.work import receive


def test_checkpoints_hold_while_the_chain_goes_on(store: Store, keyring: Keyring) -> None:
    kept = store.read_now(checkpoints)
    for n in range(3):
        store.write_now(lambda tx, n=n: receive(tx, str(n)))
        kept += store.read_now(checkpoints)
    assert [each.sequence for each in kept if each.chain == "journal"] == [0, 1, 2, 3]
    assert store.read_now(lambda tx: checkpoint.verify(tx, kept)) == []
    key = public_key(keyring)
    assert [read(each.to_json(), key) for each in kept] == kept


def test_an_older_database_put_back_is_found(tmp_path: Path, keyring: Keyring) -> None:
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}", keyring)
    store.write_now(lambda tx: receive(tx, "1"))
    with sqlite3.connect(path) as source, sqlite3.connect(tmp_path / "old.db") as target:
        source.backup(target)
    source.close()
    target.close()
    store.write_now(lambda tx: receive(tx, "2"))
    kept = store.read_now(checkpoints)
    store.close()
    old = Store.open(f"sqlite:///{tmp_path}/old.db", keyring)
    assert old.read_now(lambda tx: tx.journal.verify()) == []
    found = old.read_now(lambda tx: checkpoint.verify(tx, kept))
    assert found == [ChainProblem("journal", 2, "truncated")]
    old.write_now(lambda tx: receive(tx, "another"))
    found = old.read_now(lambda tx: checkpoint.verify(tx, kept))
    assert found == [ChainProblem("journal", 2, "changed")]
    old.close()


def test_a_checkpoint_of_somebody_else_is_refused(store: Store, keyring: Keyring) -> None:
    store.write_now(lambda tx: receive(tx, "1"))
    line = store.read_now(checkpoints)[0].to_json()
    key = public_key(keyring)
    with pytest.raises(StoreError, match="not-genuine"):
        read(line, public_key(Keyring.generate()))
    for changed in (line.replace(b'"sequence":1', b'"sequence":2'), b"{}", b"", line[:-5]):
        with pytest.raises(StoreError, match="not-genuine"):
            read(changed, key)
