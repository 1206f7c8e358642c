"""The journal and the audit cannot be changed unseen, not even by who can write the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapter.security.keyring import Keyring
from adapter.store.chain import ChainProblem
from adapter.store.store import Store
from tests.integration.store.work import ORGANIZATION, receive

ENTRIES = 12
_COLUMNS = ("actor", "kind", "data_sealed", "recorded_at", "referral", "hash", "id")


def fill(store: Store) -> None:
    for n in range(ENTRIES):
        store.write_now(lambda tx, n=n: receive(tx, str(n)))
        store.write_now(
            lambda tx, n=n: tx.audit.append({"n": n}, organization=ORGANIZATION, referral="r")
        )


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Keyring]:
    path = tmp_path_factory.mktemp("chain") / "store.db"
    keyring = Keyring.generate()
    store = Store.open(f"sqlite:///{path}", keyring)
    fill(store)
    store.close()
    return path, keyring


def tampered(original: tuple[Path, Keyring], *statements: str) -> list[ChainProblem]:
    """What verifying says after somebody changed the database file behind our back."""
    path, keyring = original
    copy = path.with_name("copy.db")
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
        for verb in ("update", "delete"):
            target.execute(f"DROP TRIGGER journal_no_{verb}")
        for statement in statements:
            target.execute(statement)
    source.close()
    target.close()
    store = Store.open(f"sqlite:///{copy}", keyring)
    try:
        return store.read_now(lambda tx: tx.journal.verify())
    finally:
        store.close()
        copy.unlink()


def test_an_untouched_chain_holds(store: Store) -> None:
    fill(store)
    assert store.read_now(lambda tx: tx.journal.verify()) == []
    assert store.read_now(lambda tx: tx.audit.verify()) == []
    numbers = [each.sequence for each in store.read_now(lambda tx: tx.audit.of("r"))]
    assert numbers == list(range(1, ENTRIES + 1))


@pytest.mark.parametrize("table", ["journal", "audit"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = 'x'", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_the_past(
    store: Store, table: str, change: str
) -> None:
    fill(store)
    connection = store.dialect.connect(writer=True)
    try:
        with pytest.raises(store.dialect.errors, match="append-only"):
            connection.execute(change.format(table))
    finally:
        connection.close()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(at=st.integers(1, ENTRIES), column=st.sampled_from(_COLUMNS))
def test_every_edit_is_found_at_its_place(
    original: tuple[Path, Keyring], at: int, column: str
) -> None:
    found = tampered(original, f"UPDATE journal SET {column} = 'x' WHERE sequence = {at}")
    assert found[0] == ChainProblem("journal", at, "changed")


@pytest.mark.parametrize("at", [1, 5, ENTRIES - 1])
def test_every_deletion_is_found_at_its_place(original: tuple[Path, Keyring], at: int) -> None:
    found = tampered(original, f"DELETE FROM journal WHERE sequence = {at}")
    assert found == [ChainProblem("journal", at, "missing")]


def test_a_record_of_the_end_that_is_gone_is_found(original: tuple[Path, Keyring]) -> None:
    found = tampered(original, "DELETE FROM chains WHERE name = 'journal'")
    assert found == [ChainProblem("journal", ENTRIES + 1, "head")]


@pytest.mark.parametrize("at", [1, 5, ENTRIES - 1])
def test_a_deletion_that_is_numbered_over_is_found(original: tuple[Path, Keyring], at: int) -> None:
    found = tampered(
        original,
        f"DELETE FROM journal WHERE sequence = {at}",
        f"UPDATE journal SET sequence = sequence - 1 WHERE sequence > {at}",
    )
    assert found[0] == ChainProblem("journal", at, "changed")


@pytest.mark.parametrize("at", [1, 5, ENTRIES - 1])
def test_two_entries_that_change_places_are_found(original: tuple[Path, Keyring], at: int) -> None:
    found = tampered(
        original,
        f"UPDATE journal SET sequence = -1 WHERE sequence = {at}",
        f"UPDATE journal SET sequence = {at} WHERE sequence = {at + 1}",
        f"UPDATE journal SET sequence = {at + 1} WHERE sequence = -1",
    )
    assert found[0] == ChainProblem("journal", at, "changed")


@pytest.mark.parametrize("kept", [0, 1, 5, ENTRIES - 1])
def test_cutting_off_the_end_is_found(original: tuple[Path, Keyring], kept: int) -> None:
    cut = f"DELETE FROM journal WHERE sequence > {kept}"
    assert tampered(original, cut) == [ChainProblem("journal", kept + 1, "truncated")]
    forged = (
        "UPDATE chains SET (sequence, hash) = (SELECT sequence, hash FROM journal"
        " ORDER BY sequence DESC LIMIT 1) WHERE name = 'journal'"
        if kept
        else "UPDATE chains SET sequence = 0, hash = zeroblob(32) WHERE name = 'journal'"
    )
    assert tampered(original, cut, forged) == [ChainProblem("journal", kept + 1, "truncated")]


def test_an_entry_of_somebody_elses_making_is_found(original: tuple[Path, Keyring]) -> None:
    last = ENTRIES + 1
    found = tampered(
        original,
        f"INSERT INTO journal SELECT {last}, 'new', organization, referral, fulfilment, inbox,"
        " actor, site, kind, data_sealed, occurred_at, recorded_at, hash FROM journal"
        " WHERE sequence = 1",
        f"UPDATE chains SET sequence = {last},"
        " hash = (SELECT hash FROM journal WHERE sequence = 1) WHERE name = 'journal'",
    )
    assert found[0] == ChainProblem("journal", last, "changed")
