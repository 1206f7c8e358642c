from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapter.security.keyring import Keyring
from adapter.store import search_keys
from adapter.store.identifiers import normalised
from adapter.store.search_keys import Columns, columns, has, parameters

TASK = {
    "resourceType": "Task",
    "status": "requested",
    "code": {"coding": [{"system": "s", "code": "fulfill"}]},
    "authoredOn": "2026-03-01",
    "for": {"reference": "Patient/1"},
    "owner": {"reference": "Organization/2"},
    "basedOn": [{"reference": "ServiceRequest/3"}, {"reference": "ServiceRequest/4"}],
    "identifier": [{"system": "urn:a", "value": "T 1"}, {"value": "only"}, {"system": "urn:b"}],
}


def test_plain_columns_hold_codes_and_dates() -> None:
    assert columns(TASK) == Columns("requested", "fulfill", "2026-03-01", "Patient/1")


KEYRING = Keyring.generate()


def key(type_name: str, parameter: str, value: str) -> bytes:
    return search_keys.key(KEYRING, type_name, parameter, value)


def keys(content: dict[str, object]) -> set[bytes]:
    return search_keys.keys(KEYRING, str(content["resourceType"]), content)


def test_an_identifier_is_found_by_its_value_and_told_apart_by_its_system() -> None:
    found = keys(TASK)
    assert key("Task", "identifier", "t1") in found
    assert key("Task", "identifier", "only") in found
    assert has("Task", TASK, "identifier", "T1", "urn:a")
    assert not has("Task", TASK, "identifier", "T1", "urn:b")


def test_a_resource_has_what_its_keys_say() -> None:
    assert has("Task", TASK, "identifier", "t1")
    assert has("Task", TASK, "based-on", "ServiceRequest/4")
    assert not has("Task", TASK, "based-on", "ServiceRequest/5")
    assert not has("Task", TASK, "identifier", "")


def test_every_reference_of_a_list_is_a_key() -> None:
    found = keys(TASK)
    assert key("Task", "based-on", "ServiceRequest/3") in found
    assert key("Task", "based-on", "ServiceRequest/4") in found
    assert key("Task", "owner", "Organization/2") in found


def test_keys_of_references_to_our_own_records_lie_together_and_stay_apart() -> None:
    own = "0190a5c3-0000-5000-8000-000000000001"
    kinds = [
        key("Task", "focus", f"ServiceRequest/{own}"),
        key("Task", "based-on", f"ServiceRequest/{own}"),
        key("Task", "focus", f"Patient/{own}"),
        key("Procedure", "based-on", f"ServiceRequest/{own}"),
    ]
    assert len(set(kinds)) == 4
    assert len({each[:6] for each in kinds}) == 1
    assert key("Task", "focus", f"https://elsewhere.example/{own}")[:6] != kinds[0][:6]


def test_names_are_found_through_every_repetition() -> None:
    patient = {
        "resourceType": "Patient",
        "name": [{"family": "Gagné", "given": ["Zoé", "Ana"]}, {"family": "Roy"}],
    }
    found = keys(patient)
    assert {key("Patient", "family", "GAGNÉ"), key("Patient", "family", "roy")} <= found
    assert "family" in parameters("Patient")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x), max_leaves=8))
def test_odd_content_gives_no_error(odd: object) -> None:
    content = {"resourceType": "Task", "identifier": odd, "owner": odd, "code": odd, "status": odd}
    assert isinstance(keys(content), set)
    assert columns({**content, "for": odd}).date is None


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_case_and_spaces_do_not_matter(value: str) -> None:
    assert normalised(f" {value.upper()} ") == normalised(value.lower())
    assert normalised(normalised(value)) == normalised(value)
