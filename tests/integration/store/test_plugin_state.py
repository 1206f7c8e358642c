from __future__ import annotations

from datetime import timedelta

from adapter.store.store import Store
from tests.integration.store.conftest import Clock


def test_a_value_is_read_until_it_is_deleted(store: Store) -> None:
    store.write_now(lambda tx: tx.state.put("agency", "cursor", b"1", organization="o"))
    store.write_now(lambda tx: tx.state.put("agency", "cursor", b"2", organization="o"))
    assert store.read_now(lambda tx: tx.state.get("agency", "cursor")) == b"2"
    assert store.read_now(lambda tx: tx.state.get("clinic", "cursor")) is None
    store.write_now(lambda tx: tx.state.delete("agency", "cursor"))
    store.write_now(lambda tx: tx.state.delete("agency", "cursor"))
    assert store.read_now(lambda tx: tx.state.get("agency", "cursor")) is None


def test_only_the_first_add_succeeds(store: Store) -> None:
    added = [
        store.write_now(lambda tx, v=v: tx.state.add("a", "jti", v, organization="o"))
        for v in (b"1", b"2")
    ]
    assert added == [True, False]
    assert store.read_now(lambda tx: tx.state.get("a", "jti")) == b"1"


def test_an_expired_value_is_gone(store: Store, clock: Clock) -> None:
    soon = clock() + timedelta(seconds=5)
    store.write_now(lambda tx: tx.state.add("a", "k", b"1", organization="o", expires=soon))
    store.write_now(lambda tx: tx.state.put("a", "stays", b"s", organization="o"))
    clock.advance(seconds=5)
    assert store.read_now(lambda tx: tx.state.get("a", "k")) is None
    assert store.write_now(lambda tx: tx.state.add("a", "k", b"2", organization="o", expires=soon))
    assert store.write_now(lambda tx: tx.state.delete_expired()) == 1
    assert store.read_now(lambda tx: tx.state.get("a", "stays")) == b"s"


def test_a_site_keeps_its_state_and_since_when(store: Store, clock: Clock) -> None:
    start = clock()
    store.write_now(lambda tx: tx.sites.set("agency", "ready", organization="o"))
    clock.advance(minutes=1)
    store.write_now(lambda tx: tx.sites.set("agency", "ready", organization="o"))
    ready = store.read_now(lambda tx: tx.sites.get("agency"))
    assert ready is not None
    assert (ready.state, ready.since, ready.updated_at) == ("ready", start, clock())
    store.write_now(
        lambda tx: tx.sites.set(
            "agency", "auth-required", organization="o", code="c", error="e", fix="f"
        )
    )
    (stopped,) = store.read_now(lambda tx: tx.sites.list())
    assert (stopped.state, stopped.since, stopped.code, stopped.error, stopped.fix) == (
        "auth-required", clock(), "c", "e", "f",
    )  # fmt: skip
    assert store.read_now(lambda tx: tx.sites.get("clinic")) is None
