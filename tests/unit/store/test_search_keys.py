from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from adapter.store.identifiers import normalised
from adapter.store.search_keys import Columns, columns, key, keys, parameters

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


def test_an_identifier_is_found_with_and_without_its_system() -> None:
    found = keys(TASK)
    assert key("identifier", "urn:a|T1") in found
    assert key("identifier", "|t 1") in found
    assert key("identifier", "|only") in found


def test_every_reference_of_a_list_is_a_key() -> None:
    found = keys(TASK)
    assert key("based-on", "ServiceRequest/3") in found
    assert key("based-on", "ServiceRequest/4") in found
    assert key("owner", "Organization/2") in found


def test_names_are_found_through_every_repetition() -> None:
    patient = {
        "resourceType": "Patient",
        "name": [{"family": "Gagné", "given": ["Zoé", "Ana"]}, {"family": "Roy"}],
    }
    found = keys(patient)
    assert {key("family", "GAGNÉ"), key("family", "roy"), key("given", "ana")} <= found
    assert "given" in parameters("Patient")


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x), max_leaves=8))
def test_odd_content_gives_no_error(odd: object) -> None:
    content = {"resourceType": "Task", "identifier": odd, "owner": odd, "code": odd, "status": odd}
    assert isinstance(keys(content), set)
    assert columns({**content, "for": odd}).date is None


@given(st.text(alphabet=st.characters(codec="ascii")))
def test_case_and_spaces_do_not_matter(value: str) -> None:
    assert normalised(f" {value.upper()} ") == normalised(value.lower())
    assert normalised(normalised(value)) == normalised(value)
