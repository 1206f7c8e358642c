"""What is written anew is checked, whether its case is new or was there."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from adapter.exchange.projection import Projector
from adapter.plugin.errors import DataError
from adapter.referral.model import Referral
from adapter.referral.room import Case
from adapter.security.keyring import Keyring
from adapter.store.store import Store

PATIENT = "0b266ada-8f57-5d13-a315-dad0f2d82fc8"
REQUEST = "fe98311e-45e6-5380-945e-89c665845995"
CASE = Case(referral=Referral(id=REQUEST), fulfilments=())


def bundle() -> dict[str, Any]:
    """A request and its patient, as a table makes them."""
    patient = {"resourceType": "Patient", "gender": "female"}
    request = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"urn:uuid:{PATIENT}"},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": f"urn:uuid:{own}",
                "resource": resource,
                "request": {"method": "POST", "url": resource["resourceType"]},
            }
            for own, resource in ((PATIENT, patient), (REQUEST, request))
        ],
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/store.sqlite3", Keyring.generate())
    yield opened
    opened.close()


def project(store: Store, made: dict[str, Any], *, new: bool = False) -> None:
    """Write what a table made of a case."""
    tree = copy.deepcopy(made)
    table = SimpleNamespace(to_left=lambda *_: SimpleNamespace(tree=tree))
    packs: Any = SimpleNamespace(find=lambda *_: table)
    at = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
    store.write_now(
        lambda tx: Projector(packs).write(tx, "clinic", CASE, site="clinic", at=at, new=new)
    )


def versions(store: Store) -> dict[str, int]:
    """The newest version of each resource."""
    kinds = {"Patient": PATIENT, "ServiceRequest": REQUEST}
    found = store.read_now(lambda tx: [tx.resources.get(kind, own) for kind, own in kinds.items()])
    return {row.type: row.version for row in found if row is not None}


def test_only_what_changed_gets_a_version(store: Store) -> None:
    project(store, bundle(), new=True)
    changed = bundle()
    changed["entry"][1]["resource"]["status"] = "revoked"
    project(store, changed)
    assert versions(store) == {"Patient": 1, "ServiceRequest": 2}


def test_what_is_the_same_gets_none_whatever_of_it_is_kept_for_a_client(store: Store) -> None:
    made = bundle()
    made["entry"][1]["resource"] |= {
        "requester": {"display": "A clinic"},
        "performer": [{"display": "An agency"}],
        "extension": [{"url": "https://example.test/reason", "valueString": "lonely"}],
    }
    project(store, made, new=True)
    project(store, made)
    assert versions(store) == {"Patient": 1, "ServiceRequest": 1}


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize(
    ("entry", "faulty"),
    [
        (0, {"gender": "banana"}),
        (1, {"status": "banana"}),
        (1, {"subject": {"reference": "urn:uuid:5939a777-525b-5120-9c6a-959fb98283f6"}}),
        (1, {"subject": {"reference": f"urn:uuid:{REQUEST}"}}),
    ],
    ids=["code", "status", "dangling", "of the wrong type"],
)
def test_nothing_faulty_is_written(
    store: Store, new: bool, entry: int, faulty: dict[str, Any]
) -> None:
    if not new:
        project(store, bundle(), new=True)
    before = versions(store)
    changed = bundle()
    changed["entry"][1]["resource"]["priority"] = "urgent"  # this too is not to be written
    changed["entry"][entry]["resource"] |= faulty
    with pytest.raises(DataError) as refused:
        project(store, changed, new=new)
    assert refused.value.code == "fhir.not-conformant"
    assert versions(store) == before
