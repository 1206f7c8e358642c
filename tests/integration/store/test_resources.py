from __future__ import annotations

from datetime import timedelta
from typing import Any

from adapter.store.ids import new_id
from adapter.store.resources import NewResource
from adapter.store.store import Store
from tests.integration.store.conftest import Clock
from tests.integration.store.work import ORGANIZATION


def task(owner: str = "Organization/1", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Task",
        "status": "requested",
        "for": {"reference": "Patient/1"},
        "owner": {"reference": owner},
        "identifier": [{"system": "urn:a", "value": "T1"}],
        "authoredOn": "2026-03-01",
        **more,
    }


def put(store: Store, id: str, content: dict[str, Any], referral: str | None = None) -> int:
    return store.write_now(
        lambda tx: tx.resources.put(
            content["resourceType"],
            id,
            organization=ORGANIZATION,
            content=content,
            referral=referral,
        )
    )


def found(store: Store, **filters: Any) -> list[str]:
    rows = store.read_now(lambda tx: tx.resources.search("Task", **filters))
    return [row.id for _, row in rows]


def test_versions_count_from_one_and_all_are_kept(store: Store) -> None:
    assert [put(store, "t", task(status=s)) for s in ("requested", "accepted")] == [1, 2]
    newest = store.read_now(lambda tx: tx.resources.get("Task", "t"))
    first = store.read_now(lambda tx: tx.resources.get("Task", "t", 1))
    assert newest is not None
    assert first is not None
    assert (newest.version, newest.content["status"]) == (2, "accepted")
    assert (first.version, first.content["status"]) == (1, "requested")
    history = store.read_now(lambda tx: tx.resources.history("Task", "t"))
    assert [row.version for row in history] == [2, 1]
    assert store.read_now(lambda tx: tx.resources.get("Task", "t", 3)) is None


def test_types_share_an_id_without_meeting(store: Store) -> None:
    put(store, "1", task())
    put(store, "1", {"resourceType": "Patient"})
    assert put(store, "1", task()) == 2
    patient = store.read_now(lambda tx: tx.resources.get("Patient", "1"))
    assert patient is not None
    assert patient.version == 1


def test_many_are_put_at_once_each_at_its_own_next_version(store: Store) -> None:
    put(store, "b", task())
    many = [NewResource(type="Task", id=name, content=task()) for name in ("a", "b", "c")]
    many += [NewResource(type="Task", id=new_id(), content=task()) for _ in range(80)]
    versions = store.write_now(
        lambda tx: tx.resources.put_many(many, organization=ORGANIZATION, referral="r")
    )
    assert versions[:3] == [1, 2, 1]
    assert set(versions[3:]) == {1}
    assert len(found(store)) == 83
    again = store.write_now(
        lambda tx: tx.resources.put_many(many, organization=ORGANIZATION, unless_same=True)
    )
    assert again == versions
    changed = [NewResource(type="Task", id="a", content=task(status="accepted")), *many[1:3]]
    assert store.write_now(
        lambda tx: tx.resources.put_many(changed, organization=ORGANIZATION, unless_same=True)
    ) == [2, 2, 1]


def test_search_finds_by_columns_and_by_keyed_hashes(store: Store) -> None:
    put(store, "a", task())
    put(store, "b", task(owner="Organization/2", status="accepted", authoredOn="2026-03-05"))
    put(store, "p", {"resourceType": "Patient", "identifier": [{"value": "T1"}]})
    assert found(store) == ["a", "b"]
    assert found(store, status="accepted") == ["b"]
    assert found(store, subject="Patient/1") == ["a", "b"]
    assert found(store, subject="Patient/2") == []
    assert found(store, keys={"owner": "Organization/2"}) == ["b"]
    assert found(store, keys={"identifier": "urn:a|t1", "owner": "Organization/1"}) == ["a"]
    assert found(store, keys={"identifier": "|T1"}) == ["a", "b"]
    assert found(store, date_from="2026-03-02") == ["b"]
    assert found(store, date_before="2026-03-02", status="requested") == ["a"]
    assert found(store, organization="another") == []


def test_search_sees_only_the_newest_version(store: Store) -> None:
    put(store, "a", task())
    put(store, "a", task(owner="Organization/9", status="accepted"))
    assert found(store, status="requested") == []
    assert found(store, keys={"owner": "Organization/1"}) == []
    assert found(store, keys={"owner": "Organization/9"}) == ["a"]


def test_a_page_is_full_though_keys_of_older_versions_lead_to_others(store: Store) -> None:
    for name in "abcd":
        put(store, name, task())
    for name in "ab":
        put(store, name, task(owner="Organization/9"))
    put(store, "b", task())
    pages, after = [], 0
    while rows := store.read_now(
        lambda tx, after=after: tx.resources.search(
            "Task", keys={"owner": "Organization/1"}, after=after, limit=1
        )
    ):
        pages.append([row.id for _, row in rows])
        after = rows[-1][0]
    assert pages == [["c"], ["d"], ["b"]]


def test_search_by_time_of_change(store: Store, clock: Clock) -> None:
    put(store, "a", task())
    middle = clock.advance(seconds=10)
    put(store, "b", task())
    assert found(store, updated_from=middle) == ["b"]
    assert found(store, updated_before=middle) == ["a"]
    assert found(store, updated_from=middle + timedelta(seconds=1)) == []


def test_pages_go_on_after_a_sequence(store: Store) -> None:
    for name in "abc":
        put(store, name, task())
    first = store.read_now(lambda tx: tx.resources.search("Task", limit=2))
    rest = store.read_now(lambda tx: tx.resources.search("Task", after=first[-1][0], limit=2))
    assert [row.id for _, row in (*first, *rest)] == ["a", "b", "c"]


def test_what_was_newest_up_to_a_sequence_is_told_once_at_the_place_that_it_had(
    store: Store,
) -> None:
    for name in "abc":
        put(store, name, task(status="accepted"))
    before = store.read_now(lambda tx: tx.resources.search("Task"))
    last = before[-1][0]
    for status in ("in-progress", "completed"):
        put(store, "b", task(status=status))
    put(store, "d", task())
    put(store, "d", task(status="accepted"))
    old = store.read_now(lambda tx: tx.resources.superseded("Task", last))
    assert [(place, row.id, row.version) for place, row in old] == [(before[1][0], "b", 1)]
    assert store.read_now(lambda tx: tx.resources.superseded("Patient", last)) == []


def test_a_deleted_resource_keeps_its_history_and_can_come_back(store: Store) -> None:
    put(store, "a", task())
    gone = store.write_now(lambda tx: tx.resources.delete("Task", "a", organization=ORGANIZATION))
    assert gone == 2
    newest = store.read_now(lambda tx: tx.resources.get("Task", "a"))
    assert newest is not None
    assert (newest.deleted, newest.content) == (True, {})
    assert found(store) == []
    assert put(store, "a", task()) == 3
    assert found(store) == ["a"]
