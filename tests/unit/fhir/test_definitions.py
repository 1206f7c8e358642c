"""The R4 definitions: what a path means, and what is said of a path that does not exist."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

from adapter.fhir.definitions import (
    UnknownElement,
    UnknownType,
    codes,
    data_types,
    definition,
    element,
    resource_types,
)
from adapter.fhir.invariants import INVARIANTS, LEFT_OUT


@pytest.mark.parametrize(
    ("path", "defined_at", "types", "least", "most"),
    [
        ("Patient.name.family", "HumanName.family", ("string",), 0, 1),
        ("Patient.name", "Patient.name", ("HumanName",), 0, None),
        ("Patient.id", "Patient.id", ("id",), 0, 1),
        ("Task.input.valueReference", "Task.input.value[x]", ("Reference",), 1, 1),
        ("Task.restriction.period.start", "Period.start", ("dateTime",), 0, 1),
        ("Questionnaire.item.item.linkId", "Questionnaire.item.linkId", ("string",), 1, 1),
        ("Timing.repeat.boundsPeriod.end", "Period.end", ("dateTime",), 0, 1),
        ("Bundle.entry.resource", "Bundle.entry.resource", ("Resource",), 0, 1),
        ("Patient._birthDate.extension.valueCode", "Extension.value[x]", ("code",), 0, 1),
        ("HumanName.given", "HumanName.given", ("string",), 0, None),
    ],
)
def test_a_path_leads_to_its_definition(
    path: str, defined_at: str, types: tuple[str, ...], least: int, most: int | None
) -> None:
    found = element(path)
    assert (found.path, found.types, found.min, found.max) == (defined_at, types, least, most)
    assert element(path) is found


def test_a_choice_without_its_type_names_all_of_them() -> None:
    found = element("Observation.value[x]")
    assert found.choice
    assert {"Quantity", "string", "dateTime"} <= set(found.types)


def test_a_reference_tells_its_targets() -> None:
    assert element("ServiceRequest.subject").targets == ("Device", "Group", "Location", "Patient")
    assert element("Task.focus").targets == ()


def test_a_binding_tells_its_strength_and_codes() -> None:
    binding = element("Task.status").binding
    assert binding is not None
    assert binding.strength == "required"
    listed = codes(binding.value_set)
    assert listed is not None
    assert "accepted" in listed["http://hl7.org/fhir/task-status"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("Patient.nmae", "'nmae'; it has name"),
        ("Task.input.valueFoo", "Task.input has no element 'valueFoo'"),
        ("Patient.birthDate.foo", "Patient.birthDate has no element 'foo'"),
        ("Patient._name", "Patient has no element '_name'"),
        ("Patient", "Patient has no element"),
        ("Patient..name", "no element ''"),
    ],
)
def test_an_unknown_path_says_where_it_broke(path: str, said: str) -> None:
    with pytest.raises(UnknownElement) as caught:
        element(path)
    assert said in str(caught.value)


@pytest.mark.parametrize("path", ["Banana.name", "", "Observation.value[x].code", "patient.name"])
def test_a_path_needs_a_type_that_exists(path: str) -> None:
    with pytest.raises(UnknownType):
        element(path)


def test_every_resource_and_data_type_of_r4_is_there() -> None:
    assert len(resource_types()) == 146
    assert len(data_types()) == 61
    assert "SubscriptionTopic" not in resource_types()
    for name in resource_types() | data_types():
        assert definition(name).name == name


def test_the_files_hold_facts_and_say_where_they_come_from() -> None:
    folder = files("adapter.fhir.definitions")
    index = json.loads(folder.joinpath("r4", "index.json").read_bytes())
    assert index["version"] == "4.0.1"
    assert len(index["sha256"]) == 64
    assert "CC0" in folder.joinpath("SOURCE.md").read_text()
    size = sum(len(one.read_bytes()) for one in folder.joinpath("r4").iterdir())
    assert size < 3_000_000


def test_every_invariant_that_r4_names_is_written_or_left_out_with_a_reason() -> None:
    named: set[str] = set()
    for name in resource_types() | data_types():
        whole = definition(name)
        named.update(whole.invariants)
        named.update(key for one in whole.elements.values() for key in one.invariants)
    written = {key.partition("@")[0] for key in INVARIANTS}
    left_out = {key for keys in LEFT_OUT for key in keys.split()}
    assert named - written - left_out == set()
    assert written & left_out == set()
    assert written - named == set()
    assert all(LEFT_OUT.values())
