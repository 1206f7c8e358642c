from __future__ import annotations

import pytest

from adapter.store.errors import StaleError
from adapter.store.ids import new_id
from adapter.store.store import Store
from tests.integration.store.conftest import Clock
from tests.integration.store.work import ORGANIZATION, open_case


def test_a_case_is_read_as_it_was_written(store: Store, clock: Clock) -> None:
    referral = store.write_now(lambda tx: open_case(tx, {"what_matters": "garden"}))
    row = store.read_now(lambda tx: tx.cases.get(referral))
    assert row is not None
    assert row.document == {"what_matters": "garden"}
    assert (row.version, row.test, row.received_at, row.status) == (1, True, clock(), "active")
    assert store.read_now(lambda tx: tx.cases.get("nothing")) is None


def test_only_who_saw_the_newest_version_may_save(store: Store) -> None:
    referral = store.write_now(open_case)

    def save(version: int, status: str) -> int:
        return store.write_now(
            lambda tx: tx.cases.save(
                referral, organization=ORGANIZATION, version=version, status=status, document={}
            )
        )

    assert save(1, "on-hold") == 2
    with pytest.raises(StaleError):
        save(1, "revoked")
    row = store.read_now(lambda tx: tx.cases.get(referral))
    assert row is not None
    assert (row.status, row.version) == ("on-hold", 2)


def test_fulfilments_belong_to_their_referral_and_are_versioned(store: Store) -> None:
    referral = store.write_now(open_case)
    parent, child = new_id(), new_id()
    store.write_now(
        lambda tx: tx.cases.add_fulfilment(
            id=parent,
            organization=ORGANIZATION,
            referral=referral,
            status="requested",
            document={"n": 1},
            destination="hub",
        )
    )
    store.write_now(
        lambda tx: tx.cases.add_fulfilment(
            id=child,
            organization=ORGANIZATION,
            referral=referral,
            status="requested",
            document={"n": 2},
            parent=parent,
        )
    )

    def save(version: int) -> int:
        return store.write_now(
            lambda tx: tx.cases.save_fulfilment(
                child,
                organization=ORGANIZATION,
                referral=referral,
                version=version,
                status="rejected",
                business_status="declined",
                reason_code="no-capacity",
                document={"n": 3},
            )
        )

    assert save(1) == 2
    with pytest.raises(StaleError):
        save(1)
    rows = store.read_now(lambda tx: tx.cases.fulfilments(referral))
    assert [(row.id, row.parent, row.destination, row.status, row.document) for row in rows] == [
        (parent, None, "hub", "requested", {"n": 1}),
        (child, parent, None, "rejected", {"n": 3}),
    ]
    assert rows[1].reason_code == "no-capacity"
    assert store.read_now(lambda tx: tx.cases.fulfilment(child)) == rows[1]


def test_cases_are_listed_in_the_order_in_which_they_came(store: Store) -> None:
    made = [store.write_now(open_case) for _ in range(3)]
    assert [row.id for row in store.read_now(lambda tx: tx.cases.list())] == made
    after = store.read_now(lambda tx: tx.cases.list(after=made[0], limit=1))
    assert [row.id for row in after] == made[1:2]
