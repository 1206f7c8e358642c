"""Planted identifiers are in no file of the store: no table, index, log or temporary file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from adapter.security.keyring import Keyring
from adapter.store.identifiers import NewIdentifier
from adapter.store.resources import NewResource
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.store.postgres import Cluster
from tests.integration.store.work import ORGANIZATION, open_case

CANARIES = {
    name: f"CANARY{number:03}{name}"
    for number, name in enumerate(
        ("key", "raw", "answer", "case", "journal", "identifier", "resource", "family", "birth",
         "outbox", "notice", "external", "state", "statekey", "audit", "fulfilment", "refused"),
        start=101,
    )
}  # fmt: skip


def plant(tx: Transaction) -> None:
    c = CANARIES
    row = tx.inbox.add(
        organization=ORGANIZATION, site="clinic", key=c["key"], format="hl7v2", kind="REF^I12",
        raw=c["raw"].encode() * 50, answer=c["answer"].encode(),
    )  # fmt: skip
    tx.inbox.add_refused(
        organization=ORGANIZATION, site="clinic", key=c["key"], format="hl7v2", kind=None,
        raw=c["refused"].encode(), code="c", message="m",
    )  # fmt: skip
    referral = open_case(tx, {"name": c["case"]})
    tx.cases.add_fulfilment(
        id=f"f-{referral}", organization=ORGANIZATION, referral=referral, status="requested",
        document={"note": c["fulfilment"]},
    )  # fmt: skip
    tx.journal.append(
        organization=ORGANIZATION, actor="requester", kind="received", inbox=row.id,
        referral=referral, data={"name": c["journal"]},
    )  # fmt: skip
    one = NewIdentifier(owner_type="referral", owner_id=referral, system="u", value=c["identifier"])
    tx.identifiers.add_many(
        [one],
        organization=ORGANIZATION, site="clinic",
    )  # fmt: skip
    patient = {
        "resourceType": "Patient", "identifier": [{"value": c["resource"]}],
        "name": [{"family": c["family"]}], "birthDate": c["birth"],
    }  # fmt: skip
    tx.resources.put_many(
        [NewResource(type="Patient", id="p", content=patient)],
        organization=ORGANIZATION, referral=referral,
    )  # fmt: skip
    made = tx.outbox.add(
        organization=ORGANIZATION, referral=referral, destination="a", event="request", kind="",
        document={"x": c["outbox"]}, notice={"x": c["notice"]},
    )  # fmt: skip
    tx.outbox.claim_due(tx.now(), 9)
    tx.outbox.delivered(made, {"Task": c["external"]}, tx.now())
    tx.state.put(
        "agency", c["statekey"], c["state"].encode(), organization=ORGANIZATION,
        expires=tx.now() + timedelta(days=1),
    )  # fmt: skip
    tx.audit.append({"who": c["audit"]}, organization=ORGANIZATION, referral=referral)


def hits(folder: Path) -> list[str]:
    """Which canaries stand in clear in which files."""
    found = []
    read = 0
    for path in folder.rglob("*"):
        if path.is_file():
            try:
                data = path.read_bytes()
            except FileNotFoundError:
                continue  # the server removed a file of its own meanwhile
            read += len(data)
            found += [f"{path.name}: {name}" for name, text in CANARIES.items()
                      if text.encode() in data or text.lower().encode() in data
                      or text.encode().hex().encode() in data]  # fmt: skip
    assert read > 50_000
    return found


def test_no_canary_is_in_the_files_of_sqlite(
    tmp_path: Path, keyring: Keyring, capfd: pytest.CaptureFixture[str]
) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/store.db", keyring)
    store.write_now(plant)
    assert (tmp_path / "store.db-wal").stat().st_size > 0
    assert hits(tmp_path) == []
    patients = store.read_now(
        lambda tx: tx.resources.search("Patient", keys={"family": CANARIES["family"]})
    )
    assert len(patients) == 1
    store.close()
    assert hits(tmp_path) == []
    said = capfd.readouterr()
    assert not any(text in said.out + said.err for text in CANARIES.values())


def test_no_canary_is_in_the_files_of_postgresql(cluster: Cluster, keyring: Keyring) -> None:
    store = Store.open(cluster.new_database(), keyring)
    store.write_now(plant)
    store.close()
    assert hits(cluster.root) == []
