from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.plugin.errors import ConfigError
from adapter.security.keyring import Keyring
from adapter.store.check import check
from adapter.store.erasure import erase
from adapter.store.errors import ErasedError, StoreError
from adapter.store.ids import new_id
from adapter.store.rotation import rewrap, uses
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.store.test_canary import CANARIES, plant
from tests.integration.store.work import ORGANIZATION, open_case, queue, receive


@pytest.fixture
def rotated(store: Store, address: str, keyring: Keyring) -> Iterator[Store]:
    """The same store, opened with a new active key, after 30 referrals were written."""
    for n in range(30):
        store.write_now(lambda tx, n=n: open_case(tx, {"n": n}))
    store.close()
    opened = Store.open(address, keyring.rotated())
    yield opened
    opened.close()


def documents(tx: Transaction) -> list[int]:
    return [row.document["n"] for row in tx.cases.list()]


def test_after_rewrapping_nothing_needs_the_old_key(
    rotated: Store, address: str, keyring: Keyring
) -> None:
    new = rotated.keys.keyring
    assert rotated.read_now(uses) == {keyring.active: 30}
    assert rewrap(rotated) == 30
    assert rotated.read_now(uses) == {new.active: 30}
    assert rewrap(rotated) == 0
    assert isinstance(new, Keyring)
    without = Store.open(address, new.without(keyring.active))
    try:
        assert without.read_now(documents) == list(range(30))
        assert all(each.state != "fail" for each in check(without))
    finally:
        without.close()
    with pytest.raises(ConfigError, match="unknown-key"):
        Store.open(address, keyring)


def test_reading_and_writing_go_on_while_keys_are_rewrapped(rotated: Store) -> None:
    assert rotated.read_now(documents) == list(range(30))
    first = rotated.read_now(lambda tx: tx.cases.list(limit=1))[0]
    rotated.write_now(lambda tx: queue(tx, first.id))
    rewrap(rotated)
    rotated.keys.forget()
    assert rotated.read_now(documents) == list(range(30))
    rotated.write_now(lambda tx: open_case(tx, {"n": 30}))
    assert rotated.read_now(documents) == list(range(31))
    assert set(rotated.read_now(uses)) == {rotated.keys.keyring.active}


def test_an_erased_person_cannot_be_read_and_everybody_else_can(store: Store) -> None:
    store.write_now(plant)
    (gone,) = [row.id for row in store.read_now(lambda tx: tx.cases.list())]
    stays = store.write_now(lambda tx: open_case(tx, {"n": 1}))
    store.write_now(lambda tx: queue(tx, gone))
    store.write_now(lambda tx: queue(tx, stays))
    message = store.write_now(lambda tx: receive(tx, "linked"))
    store.write_now(lambda tx: tx.inbox.mark(message.id, "processed", referral=gone))

    erase(store, [gone], actor="privacy-officer", reason="asked for it")

    def look(tx: Transaction) -> None:
        case, other = tx.cases.get(gone), tx.cases.get(stays)
        assert case is not None
        assert other is not None
        assert (case.document, case.erased_at is None) == ({}, False)
        assert (other.document, other.erased_at) == ({"n": 1}, None)
        assert [row.document for row in tx.cases.fulfilments(gone)] == [{}]
        told = tx.journal.of(gone)
        assert all(entry.erased and entry.data == {} for entry in told)
        assert tx.identifiers.find("u", CANARIES["identifier"], owner_type="referral") == []
        assert tx.resources.search("Patient", keys={"family": CANARIES["family"]}) == []
        patient = tx.resources.get("Patient", "p")
        assert patient is not None
        assert (patient.deleted, patient.content) == (True, {})
        kept = tx.inbox.get(message.id)
        assert kept is not None
        assert (kept.raw, kept.key) == (b"", None)
        rows = tx.outbox.list()
        assert {row.state for row in rows if row.referral == gone} == {"delivered", "discarded"}
        assert {row.state for row in rows if row.referral == stays} == {"due"}
        assert all(tx.outbox.get(r.id).document == {} for r in rows if r.referral == gone)  # type: ignore[union-attr]
        assert tx.journal.after(0, 99)[-1].kind == "erased"
        assert tx.journal.verify() == tx.audit.verify() == []

    store.read_now(look)
    assert all(each.state != "fail" for each in check(store))


def test_a_copy_that_was_kept_aside_does_not_open_after_erasure(store: Store) -> None:
    referral = store.write_now(open_case)
    place = f"cases|document|{referral}"
    sealed = store.write_now(
        lambda tx: tx.session.seal_json(ORGANIZATION, referral, place, {"kept": "aside"})
    )
    erase(store, [referral], actor="a", reason="r")
    with pytest.raises(ErasedError):
        store.read_now(lambda tx: tx.session.open_json(place, sealed))


def test_another_process_stops_reading_an_erased_person(
    store: Store, address: str, keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    referral = store.write_now(open_case)
    store.write_now(
        lambda tx: tx.journal.append(
            organization=ORGANIZATION, actor="a", kind="k", data={"n": 1}, referral=referral
        )
    )
    other = Store.open(address, keyring)
    try:
        assert other.read_now(lambda tx: tx.journal.of(referral))[0].data == {"n": 1}
        erase(store, [referral], actor="a", reason="r")
        later = time.monotonic() + 61
        monkeypatch.setattr(time, "monotonic", lambda: later)
        assert other.read_now(lambda tx: tx.journal.of(referral))[0].erased
    finally:
        other.close()


def test_the_destroyed_key_is_in_no_file_of_sqlite(tmp_path: Path, keyring: Keyring) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/store.db", keyring)
    referral = store.write_now(open_case)
    connection = store.dialect.connect(writer=False)
    (wrapped,) = connection.execute(
        "SELECT wrapped FROM data_keys WHERE owner = ?", (referral,)
    ).fetchone()
    connection.close()
    files = [path for path in tmp_path.iterdir() if path.name.startswith("store.db")]
    assert any(wrapped in path.read_bytes() for path in files)
    erase(store, [referral], actor="a", reason="r")
    assert not any(wrapped in path.read_bytes() for path in files if path.exists())
    store.close()


def test_erasing_what_is_not_there_erases_nothing(store: Store) -> None:
    referral = store.write_now(lambda tx: open_case(tx, {"n": 1}))
    with pytest.raises(StoreError, match="missing"):
        erase(store, [referral, new_id()], actor="a", reason="r")
    case = store.read_now(lambda tx: tx.cases.get(referral))
    assert case is not None
    assert case.document == {"n": 1}
