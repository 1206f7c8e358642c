from __future__ import annotations

from adapter.store.store import Store
from adapter.store.transaction import Transaction


def add(tx: Transaction, value: str, owner: str = "r1", site: str = "clinic") -> None:
    tx.identifiers.add(
        organization="o", site=site, owner_type="referral", owner_id=owner, system="urn:placer",
        value=value,
    )  # fmt: skip


def test_an_identifier_finds_its_record_whatever_its_case_and_spaces(store: Store) -> None:
    store.write_now(lambda tx: add(tx, "AB 12"))
    found = store.read_now(
        lambda tx: tx.identifiers.find("urn:placer", "ab12", owner_type="referral", site="clinic")
    )
    assert found == ["r1"]


def test_an_identifier_is_found_only_where_it_belongs(store: Store) -> None:
    store.write_now(lambda tx: add(tx, "1"))
    store.write_now(lambda tx: add(tx, "1", owner="r2", site="other"))

    def find(tx: Transaction) -> list[list[str]]:
        look = tx.identifiers.find
        return [
            look("urn:placer", "1", owner_type="referral", site="clinic"),
            look("urn:placer", "1", owner_type="referral", organization="o"),
            look("urn:placer", "1", owner_type="referral"),
            look("urn:filler", "1", owner_type="referral"),
            look("urn:placer", "1", owner_type="fulfilment"),
            look("urn:placer", "1", owner_type="referral", organization="another"),
        ]

    assert store.read_now(find) == [["r1"], ["r1", "r2"], ["r1", "r2"], [], [], []]


def test_adding_it_again_changes_nothing(store: Store) -> None:
    store.write_now(lambda tx: add(tx, "1"))
    store.write_now(lambda tx: add(tx, "1"))
    known = store.read_now(lambda tx: tx.identifiers.of("r1"))
    assert [(each.site, each.system, each.value) for each in known] == [
        ("clinic", "urn:placer", "1")
    ]
