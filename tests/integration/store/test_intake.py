"""Messages that arrive together: each is accepted once, and answered for itself."""

from __future__ import annotations

from adapter.exchange.intake import take_all
from adapter.plugin.messages import Inbound, Receipt
from adapter.store.erasure import blank_message
from adapter.store.store import Store
from tests.integration.store.work import ORGANIZATION


def message(key: str, raw: bytes = b"one", answer: bytes = b"first") -> Inbound:
    return Inbound(raw=raw, format="hl7v2", kind="REF^I12", key=key, answer=answer)


def take(store: Store, *messages: Inbound, site: str = "clinic") -> list[Receipt]:
    arrived = [(site, each) for each in messages]
    return list(store.write_now(lambda tx: take_all(tx, arrived, organization=ORGANIZATION)))


def kinds(store: Store) -> list[str]:
    return [each.kind for each in store.read_now(lambda tx: tx.journal.after(0, 99))]


def test_new_messages_are_kept_as_they_came_in_their_order(store: Store) -> None:
    receipts = take(store, *(message(key, key.encode()) for key in "abc"), message("d", b"", b""))
    assert [each.state for each in receipts] == ["accepted"] * 4
    kept = store.read_now(lambda tx: tx.inbox.next_pending("clinic", 9))
    assert [(row.id, row.key, row.raw) for row in kept] == [
        (receipt.id, key, b"" if key == "d" else key.encode())
        for receipt, key in zip(receipts, "abcd", strict=True)
    ]
    assert [row.answer for row in kept] == [b"first", b"first", b"first", b""]
    assert kinds(store) == ["message.accepted"] * 4
    entries = store.read_now(lambda tx: tx.journal.after(0, 9))
    assert [each.inbox for each in entries] == [each.id for each in receipts]


def test_among_new_ones_a_copy_gets_the_first_answer_and_other_content_is_a_conflict(
    store: Store,
) -> None:
    (first,) = take(store, message("a"))
    again = take(store, message("a", answer=b"second"), message("b"), message("a", b"other"))
    assert [each.state for each in again] == ["duplicate", "accepted", "conflict"]
    assert again[0] == Receipt(id=first.id, state="duplicate", answer=b"first")
    waiting = store.read_now(lambda tx: tx.inbox.next_pending("clinic", 9))
    assert [row.key for row in waiting] == ["a", "b"]
    assert sorted(kinds(store)[1:]) == ["message.accepted", "message.conflict"]


def test_copies_that_arrive_together_are_one_message(store: Store) -> None:
    same, copy, other = take(store, message("a"), message("a", answer=b"x"), message("a", b"no"))
    assert (same.state, copy.state, other.state) == ("accepted", "duplicate", "conflict")
    assert (copy.id, copy.answer) == (same.id, b"first")
    assert len(store.read_now(lambda tx: tx.inbox.next_pending("clinic", 9))) == 1
    assert take(store, message("a"), site="other")[0].state == "accepted"


def test_a_copy_writes_nothing(store: Store) -> None:
    take(store, message("a"), message("b"))
    before = store.read_now(lambda tx: (tx.inbox.list(), tx.journal.after(0, 9)))
    assert {each.state for each in take(store, message("b"), message("a"))} == {"duplicate"}
    assert store.read_now(lambda tx: (tx.inbox.list(), tx.journal.after(0, 9))) == before


def test_a_copy_of_what_was_erased_has_an_answer_all_the_same(store: Store) -> None:
    (first,) = take(store, message("a"))
    store.write_now(lambda tx: blank_message(tx.session, first.id))
    (again,) = take(store, message("a", answer=b"as if new"))
    assert again == Receipt(id=first.id, state="duplicate", answer=b"as if new")
