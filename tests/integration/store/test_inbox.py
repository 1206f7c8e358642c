from __future__ import annotations

import pytest

from adapter.store.errors import RaceError, StoreError
from adapter.store.store import Store
from tests.integration.store.work import ORGANIZATION, receive


def test_a_message_is_kept_as_it_came(store: Store) -> None:
    raw = b"MSH|^~\\&|\r\x00\xff"
    added = store.write_now(lambda tx: receive(tx, "17", raw))
    kept = store.read_now(lambda tx: tx.inbox.get(added.id))
    assert kept == added
    assert kept is not None
    assert (kept.raw, kept.answer, kept.state, kept.processed) == (
        raw, b"MSA|AA", "accepted", False,
    )  # fmt: skip


def test_a_key_is_found_with_its_first_answer_and_its_bytes_compared(store: Store) -> None:
    store.write_now(lambda tx: receive(tx, "17", b"one"))
    known = store.read_now(lambda tx: tx.inbox.find("clinic", "17"))
    assert known is not None
    assert known.answer == b"MSA|AA"
    same, other = store.read_now(lambda tx: [tx.inbox.content_hash(x) for x in (b"one", b"two")])
    assert known.content_hash == same
    assert known.content_hash != other


def test_a_key_is_a_sites_own(store: Store) -> None:
    store.write_now(lambda tx: receive(tx, "17"))
    assert store.read_now(lambda tx: tx.inbox.find("other", "17")) is None
    store.write_now(lambda tx: receive(tx, "17", site="other"))


def test_keys_differ_by_case(store: Store) -> None:
    store.write_now(lambda tx: receive(tx, "a"))
    store.write_now(lambda tx: receive(tx, "A"))
    assert len(store.read_now(lambda tx: tx.inbox.list())) == 2


def test_a_key_is_accepted_once(store: Store) -> None:
    store.write_now(lambda tx: receive(tx, "17"))
    with pytest.raises(RaceError):
        store.write_now(lambda tx: receive(tx, "17"))
    assert len(store.read_now(lambda tx: tx.inbox.list())) == 1
    assert len(store.read_now(lambda tx: tx.journal.after(0, 9))) == 1


def test_a_refused_message_is_kept_and_its_key_stays_free(store: Store) -> None:
    def refuse(tx: object) -> str:
        return tx.inbox.add_refused(  # type: ignore[attr-defined,no-any-return]
            organization=ORGANIZATION, site="clinic", key="17", format="hl7v2", kind=None,
            raw=b"junk", code="hl7v2.no-pid", message="There is no PID.", fix="Send one.",
        )  # fmt: skip

    refused = store.write_now(refuse)
    store.write_now(refuse)
    store.write_now(lambda tx: receive(tx, "17"))
    kept = store.read_now(lambda tx: tx.inbox.get(refused))
    assert kept is not None
    assert (kept.state, kept.raw, kept.key, kept.code) == ("refused", b"junk", "17", "hl7v2.no-pid")
    listed = store.read_now(lambda tx: tx.inbox.list(state="refused"))
    assert [row.id for row in listed][:1] == [refused]
    assert len(listed) == 2


def test_waiting_messages_come_in_the_order_of_arrival_of_one_site(store: Store) -> None:
    ids = [store.write_now(lambda tx, k=k: receive(tx, k)).id for k in "abc"]
    store.write_now(lambda tx: receive(tx, "x", site="other"))
    waiting = store.read_now(lambda tx: tx.inbox.next_pending("clinic", 2))
    assert [row.id for row in waiting] == ids[:2]
    assert sorted(store.read_now(lambda tx: tx.inbox.pending_sites())) == ["clinic", "other"]


@pytest.mark.parametrize(
    ("mark", "state"),
    [("processed", "accepted"), ("quarantined", "quarantined"), ("discarded", "discarded")],
)
def test_a_marked_message_waits_no_more(store: Store, mark: str, state: str) -> None:
    row = store.write_now(lambda tx: receive(tx, "17"))
    store.write_now(
        lambda tx: tx.inbox.mark(row.id, mark, code="map.lost", error="E", fix="F", referral="r1")  # type: ignore[arg-type]
    )
    kept = store.read_now(lambda tx: tx.inbox.get(row.id))
    assert kept is not None
    assert (kept.state, kept.processed, kept.code, kept.error, kept.fix, kept.referral) == (
        state, True, "map.lost", "E", "F", "r1",
    )  # fmt: skip
    assert store.read_now(lambda tx: tx.inbox.next_pending("clinic", 9)) == []


def test_a_replayed_message_waits_in_its_old_place(store: Store) -> None:
    first = store.write_now(lambda tx: receive(tx, "1"))
    store.write_now(lambda tx: tx.inbox.mark(first.id, "quarantined", code="c", error="e"))
    second = store.write_now(lambda tx: receive(tx, "2"))
    store.write_now(lambda tx: tx.inbox.replay(first.id))
    waiting = store.read_now(lambda tx: tx.inbox.next_pending("clinic", 9))
    assert [row.id for row in waiting] == [first.id, second.id]
    assert waiting[0].error is None


def test_a_discarded_message_cannot_be_replayed(store: Store) -> None:
    row = store.write_now(lambda tx: receive(tx, "1"))
    store.write_now(lambda tx: tx.inbox.mark(row.id, "discarded"))
    with pytest.raises(StoreError, match="missing"):
        store.write_now(lambda tx: tx.inbox.replay(row.id))


def test_marking_what_is_not_there_is_an_error(store: Store) -> None:
    with pytest.raises(StoreError, match="missing"):
        store.write_now(lambda tx: tx.inbox.mark("nothing", "processed"))


def test_a_list_goes_on_after_a_sequence(store: Store) -> None:
    for key in "abcd":
        store.write_now(lambda tx, k=key: receive(tx, k))
    first = store.read_now(lambda tx: tx.inbox.list(limit=2))
    rest = store.read_now(lambda tx: tx.inbox.list(after=first[-1].sequence))
    assert [row.key for row in (*first, *rest)] == ["a", "b", "c", "d"]
    assert all(row.raw == b"" for row in first)
