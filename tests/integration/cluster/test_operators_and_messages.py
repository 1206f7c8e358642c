"""Two operators at one quarantined message, and the service that does what the one asks for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adapter.exchange import operations
from adapter.security.keyring import Keyring
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.cluster.meeting import Meeting
from tests.integration.cluster.test_operators import Stage, opened, told_by
from tests.integration.store.work import receive

REFUSED = "inbox.not-quarantined"


class Service:
    """Replays a message as another operator, and does it as a service."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.did: list[str] = []

    def replay(self, identity: str) -> str | None:
        told = replay(self._store, identity)
        if told is None:
            self.do(identity)
        return told

    def do(self, identity: str) -> None:
        """As the engine: take it if it waits, and write that it is done."""
        if self._store.write_now(lambda tx: do(tx, identity)):
            self.did.append(identity)


def do(tx: Transaction, identity: str) -> bool:
    if not tx.inbox.take(identity):
        return False
    tx.inbox.mark(identity, "processed")
    return True


def quarantined(store: Store) -> str:
    """A message that waits for an operator."""

    def work(tx: Transaction) -> str:
        row = receive(tx, tx.now().isoformat())
        tx.inbox.mark(row.id, "quarantined", code="c", error="e", fix="f")
        return row.id

    return store.write_now(work)


def replay(store: Store, identity: str) -> str | None:
    return told_by(store, lambda tx: operations.replay(tx, identity, ["clinic"]))


def discard(store: Store, identity: str) -> str | None:
    return told_by(store, lambda tx: operations.discard_message(tx, identity, "sent again"))


@pytest.mark.parametrize("halts", ["operator", "worker"])
@pytest.mark.parametrize("act", [replay, discard])
def test_a_message_is_replayed_once_or_discarded_at_whatever_step_two_operators_meet(
    address: str, keyring: Keyring, act: Callable[[Store, str], str | None], halts: str
) -> None:
    told: set[str | None] = set()
    with opened(address, keyring) as stage:
        there_is, step = True, 0
        while there_is:
            step += 1
            there_is, said = meet(stage, act, halts, step)
            told.add(said)
    assert told == {None, REFUSED}


def meet(
    stage: Stage, act: Callable[[Store, str], str | None], halts: str, step: int
) -> tuple[bool, str | None]:
    identity, service = quarantined(stage.store), Service(stage.working)
    meeting = Meeting(stage.store, halts, step)
    there_is, said = meeting.hold(
        lambda: act(stage.operating, identity), lambda: service.replay(identity)
    )
    service.do(identity)
    row = stage.store.read_now(lambda tx: tx.inbox.get(identity))
    assert row is not None
    discarded = act is discard and said is None
    assert row.state == ("discarded" if discarded else "accepted")
    assert service.did == ([] if discarded else [identity])
    kinds = [each.kind for each in stage.store.read_now(lambda tx: tx.journal.after(0, 9999))]
    assert kinds.count("message.discarded") + kinds.count("message.replayed") == step
    return there_is, said
