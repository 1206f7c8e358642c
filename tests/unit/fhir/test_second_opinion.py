"""The models of fhir.resources say, without any value, what they refuse."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from adapter.fhir.models import second_opinions

PATIENT = {"resourceType": "Patient", "name": [{"family": "Synthetic"}], "birthDate": "1948-02-14"}


def second_opinion(resource: dict[str, Any]) -> list[str]:
    (found,) = second_opinions([resource])
    return found


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": each} for each in resources],
    }


def test_what_is_right_is_refused_by_nobody() -> None:
    assert second_opinion(PATIENT) == []
    assert second_opinion(bundle(PATIENT, bundle(PATIENT))) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"birthDate": "14/02/1948"}, "Patient.birthDate"),
        ({"mood": "Synthetic"}, "Patient.mood"),
        ({"name": {"family": "Synthetic"}}, "Patient.name"),
        ({"deceasedBoolean": True, "deceasedDateTime": "2026-01-01"}, "Patient"),
    ],
)
def test_a_fault_has_its_place_and_no_value(change: dict[str, Any], place: str) -> None:
    (said,) = second_opinion(PATIENT | change)
    assert said.startswith(place)
    assert not any(value in said for value in ("14/02", "Synthetic", "2026"))
    (within,) = second_opinion(bundle(PATIENT, PATIENT | change))
    assert within.startswith(f"Bundle.entry[1].resource.{place}")


def test_a_fault_of_the_bundle_itself_is_seen() -> None:
    (said,) = second_opinion(bundle(PATIENT) | {"total": "many"})
    assert said.startswith("Bundle.total")


def test_a_type_that_r4b_does_not_have_is_said() -> None:
    assert second_opinion({"resourceType": "Banana"}) == ["Banana: no resource type of R4B"]


def test_of_many_each_has_its_own_faults_in_the_order_of_its_entries() -> None:
    task = {"resourceType": "Task", "status": "requested", "intent": "order", "mood": "x"}
    late = PATIENT | {"birthDate": "x"}
    right, none, both, bare = second_opinions([PATIENT, bundle(), bundle(task, late), late])
    assert (right, none) == ([], [])
    assert [said.partition(": ")[0] for said in both] == [
        "Bundle.entry[0].resource.Task.mood",
        "Bundle.entry[1].resource.Patient.birthDate",
    ]
    assert [said.partition(": ")[0] for said in bare] == ["Patient.birthDate"]


def test_the_collector_runs_on_afterwards() -> None:
    second_opinion(PATIENT | {"birthDate": "x"})
    assert gc.isenabled()
