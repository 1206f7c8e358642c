"""Bundles: what is built passes the checks, and a reference leads to what it names."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from adapter.fhir import bundles
from adapter.fhir.bundles import Directory
from adapter.fhir.checks import check

PATIENT = {"resourceType": "Patient", "id": "p1", "identifier": [{"system": "urn:s", "value": "1"}]}
TASK: dict[str, Any] = {
    "resourceType": "Task",
    "id": "t1",
    "status": "requested",
    "intent": "order",
    "for": {"reference": "Patient/p1", "display": "someone"},
}
HEADER: dict[str, Any] = {
    "resourceType": "MessageHeader",
    "eventCoding": {"system": "https://example.org/events", "code": "add"},
    "source": {"endpoint": "https://example.org"},
}
BASE = "https://example.org/fhir"


def test_a_transaction_creates_updates_and_passes_the_checks() -> None:
    patient = bundles.urn()
    task = {**TASK, "for": {"reference": patient}}
    made = bundles.transaction(
        [
            bundles.post(PATIENT, full_url=patient, if_none_exist="identifier=urn:s|1"),
            bundles.put(task, if_match="3"),
            bundles.put(PATIENT, url="Patient?identifier=urn:s|1"),
        ]
    )
    assert check(made) == []
    assert made["entry"][0]["request"] == {
        "method": "POST",
        "url": "Patient",
        "ifNoneExist": "identifier=urn:s|1",
    }
    assert made["entry"][1]["request"] == {"method": "PUT", "url": "Task/t1", "ifMatch": 'W/"3"'}


def test_a_batch_reads_several_things_at_once() -> None:
    assert check(bundles.batch([bundles.get("Task/t1"), bundles.get("Task?status=ready")])) == []


def test_a_message_begins_with_its_header() -> None:
    made = bundles.message(
        HEADER,
        [(f"{BASE}/Task/t1", TASK)],
        identifier={"system": "https://example.org/messages", "value": "1"},
        timestamp="2026-01-15T14:30:00Z",
    )
    assert check(made) == []
    assert [one["resourceType"] for one in bundles.resources(made)] == ["MessageHeader", "Task"]
    assert list(bundles.resources(made, "Task")) == [TASK]


def test_a_searchset_tells_matches_from_what_is_included() -> None:
    made = bundles.searchset(
        [(f"{BASE}/Task/t1", TASK)],
        included=[(f"{BASE}/Patient/p1", PATIENT)],
        outcome={"resourceType": "OperationOutcome",
                 "issue": [{"severity": "warning", "code": "not-supported"}]},
        total=1,
        links={"self": f"{BASE}/Task"},
    )  # fmt: skip
    assert check(made) == []
    assert [entry["search"]["mode"] for entry in made["entry"]] == ["match", "include", "outcome"]


def test_a_search_without_result_has_no_empty_array() -> None:
    made = bundles.searchset([], total=0)
    assert "entry" not in made
    assert check(made) == []


def test_a_collection_passes_the_checks() -> None:
    assert check(bundles.collection([(f"{BASE}/Patient/p1", PATIENT)])) == []


@pytest.fixture
def directory() -> Directory:
    task = {
        **TASK,
        "contained": [{"resourceType": "Practitioner", "id": "dr", "name": [{"text": "x"}]}],
        "requester": {"reference": "#dr"},
    }
    return Directory(
        bundles.collection(
            [
                (f"{BASE}/Patient/p1", PATIENT),
                (f"{BASE}/Task/t1", task),
                (
                    "urn:uuid:00000000-0000-4000-8000-000000000001",
                    {"resourceType": "Group", "id": "g"},
                ),
                (
                    "urn:uuid:00000000-0000-4000-8000-000000000002",
                    {"resourceType": "Device", "id": "d"},
                ),
                (
                    "urn:uuid:00000000-0000-4000-8000-000000000003",
                    {"resourceType": "Device", "id": "d"},
                ),
            ]
        )
    )


@pytest.mark.parametrize(
    ("reference", "kind"),
    [
        (f"{BASE}/Patient/p1", "Patient"),
        (f"{BASE}/Patient/p1/_history/2", "Patient"),
        ("Patient/p1", "Patient"),
        ("Patient/p1/_history/2", "Patient"),
        ("#dr", "Practitioner"),
        ("#", "Task"),
        ("urn:uuid:00000000-0000-4000-8000-000000000001", "Group"),
        ("Group/g", "Group"),
    ],
)
def test_a_reference_leads_to_what_it_names(
    directory: Directory, reference: str, kind: str
) -> None:
    origin = directory.resolve("Task/t1", origin={}, full_url=f"{BASE}/Patient/p1")
    assert origin is not None
    found = directory.resolve(reference, origin=origin.resource, full_url=origin.full_url)
    assert found is not None
    assert found.resource["resourceType"] == kind


@pytest.mark.parametrize(
    "reference",
    [
        "#nobody",
        "Patient/p2",
        "Device/d",
        "urn:uuid:9",
        "https://other.example.org/fhir/Patient/p1",
    ],
)
def test_a_reference_to_nothing_or_to_two_things_leads_nowhere(
    directory: Directory, reference: str
) -> None:
    origin = directory.resolve(f"{BASE}/Task/t1", origin={})
    assert origin is not None
    assert directory.resolve(reference, origin=origin.resource, full_url=origin.full_url) is None


def test_a_resource_is_found_by_identifier(directory: Directory) -> None:
    found = directory.identified("Patient", "urn:s", "1")
    assert found is not None
    assert found.full_url == f"{BASE}/Patient/p1"
    assert directory.identified("Patient", "urn:s", "2") is None
    assert directory.identified("Device", "urn:s", "1") is None


def test_links_across_servers_go_by_identifier() -> None:
    before = copy.deepcopy(TASK)
    identifier = {"system": "urn:s", "value": "1"}
    known = {"Patient/p1": ("Patient", identifier)}
    made = bundles.by_identifier(TASK, known.get)
    assert made["for"] == {"type": "Patient", "identifier": identifier, "display": "someone"}
    assert before == TASK
    assert check(made) == []


def test_a_link_that_nobody_knows_and_a_contained_one_stay() -> None:
    task = {**TASK, "requester": {"reference": "#dr"}}
    assert bundles.by_identifier(task, lambda _: None) is task
    assert bundles.by_identifier(task, lambda _: ("Patient", {"value": "1"}))["requester"] == {
        "reference": "#dr"
    }


def test_links_can_be_pointed_elsewhere_without_copying_the_rest() -> None:
    bundle = bundles.collection([(f"{BASE}/Task/t1", TASK), (f"{BASE}/Patient/p1", PATIENT)])
    made = bundles.relink(bundle, {"Patient/p1": "Patient/9"})
    assert [one["reference"] for one in bundles.references(made)] == ["Patient/9"]
    assert [one["reference"] for one in bundles.references(bundle)] == ["Patient/p1"]
    assert made["entry"][1] is bundle["entry"][1]
    assert bundles.relink(bundle, {}) is bundle


def test_links_of_a_bundle_of_our_own_are_pointed_elsewhere_in_place() -> None:
    task = {
        "focus": {"reference": "urn:uuid:1"},
        "input": [{"valueReference": {"reference": "#x"}}],
    }
    bundle = {"entry": [{"resource": task}]}
    same = bundles.relink(bundle, {"urn:uuid:1": "ServiceRequest/1"})
    bundles.relink_own(bundle, {"urn:uuid:1": "ServiceRequest/1"})
    assert bundle == same
    assert task["focus"] == {"reference": "ServiceRequest/1"}


def test_an_expression_is_not_taken_for_a_reference() -> None:
    expression = {"language": "text/cql", "reference": "https://example.org/logic"}
    assert list(bundles.references({"expression": expression})) == []


def test_a_conditional_reference_escapes_its_value() -> None:
    made = bundles.conditional("Patient", "https://example.org/ids", "a b&c|d")
    assert made == "Patient?identifier=https://example.org/ids%7Ca%20b%26c%7Cd"
    assert check({**TASK, "for": {"reference": made}}) == []


def test_the_answers_of_a_transaction_come_in_order() -> None:
    response = {"entry": [{"response": {"status": "201 Created", "location": "Task/1"}}, {}]}
    assert bundles.answers(response) == [("201 Created", "Task/1"), ("", "")]
