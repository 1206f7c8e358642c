"""Demographics are filled in; outcomes never are."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.fhir.instruments import instrument, instruments
from adapter.fhir.population import INITIAL_EXPRESSION, PATHS, populate
from adapter.fhir.questionnaire import check_response

PATIENT = {
    "resourceType": "Patient",
    "id": "synthetic",
    "name": [{"family": "Synthetic", "given": ["Anne", "Marie"], "text": "Anne Synthetic"}],
    "gender": "female",
    "birthDate": "1950-02-03",
    "telecom": [
        {"system": "phone", "value": "555-0100"},
        {"system": "email", "value": "anne@example.org"},
    ],
    "address": [
        {"line": ["1 Test St"], "city": "Testville", "state": "ON", "postalCode": "K0K 0K0"}
    ],
    "communication": [
        {"language": {"coding": [{"system": "urn:ietf:bcp:47", "code": "fr"}]}},
    ],
}
SAID = {
    "birthDate": {"valueDate": "1950-02-03"},
    "name.family": {"valueString": "Synthetic"},
    "name.given": {"valueString": "Anne"},
    "name.text": {"valueString": "Anne Synthetic"},
    "gender": {"valueString": "female"},
    "address.line": {"valueString": "1 Test St"},
    "address.city": {"valueString": "Testville"},
    "address.state": {"valueString": "ON"},
    "address.postalCode": {"valueString": "K0K 0K0"},
    "telecom.where(system='phone').value": {"valueString": "555-0100"},
    "telecom.where(system='email').value": {"valueString": "anne@example.org"},
    "communication.language": {"valueCoding": {"system": "urn:ietf:bcp:47", "code": "fr"}},
}
TYPES = {"birthDate": "date", "communication.language": "choice"}


def by_expression(expression: str) -> dict[str, Any]:
    value = {"language": "text/fhirpath", "expression": expression}
    return {"extension": [{"url": INITIAL_EXPRESSION, "valueExpression": value}]}


def by_definition(path: str) -> dict[str, Any]:
    return {"definition": f"http://hl7.org/fhir/StructureDefinition/Patient#Patient.{path}"}


def form(*items: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Questionnaire",
        "url": "https://example.org/Questionnaire/demographics",
        "version": "2",
        "status": "active",
        "item": list(items),
    }


@pytest.mark.parametrize("path", PATHS)
def test_each_demographic_is_filled_in_by_definition_and_by_expression(path: str) -> None:
    for ask in (by_definition(path), by_expression(f"%patient.{path}")):
        item = {"linkId": "a", "type": TYPES.get(path, "string"), **ask}
        response = populate(form(item), PATIENT)
        assert response["item"] == [{"linkId": "a", "answer": [SAID[path]]}]
        assert check_response(response, form(item)) == []


def test_the_response_is_in_progress_and_names_form_and_person() -> None:
    response = populate(form({"linkId": "a", "type": "string"}), PATIENT)
    assert response == {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "https://example.org/Questionnaire/demographics|2",
        "status": "in-progress",
        "subject": {"reference": "Patient/synthetic"},
    }


def test_gender_fills_a_choice_that_offers_it() -> None:
    system = "http://hl7.org/fhir/administrative-gender"
    options = [{"valueCoding": {"system": system, "code": c}} for c in ("male", "female")]
    item = {"linkId": "g", "type": "choice", "answerOption": options, **by_definition("gender")}
    assert populate(form(item), PATIENT)["item"][0]["answer"] == [
        {"valueCoding": {"system": system, "code": "female"}}
    ]


def test_a_value_that_does_not_fit_is_left_for_the_person() -> None:
    item = {"linkId": "a", "type": "integer", **by_definition("name.family")}
    assert "item" not in populate(form(item), PATIENT)


def test_first_and_groups_are_understood() -> None:
    item = {"linkId": "a", "type": "string", **by_expression("%patient.name.first().given.first()")}
    group = {"linkId": "g", "type": "group", "item": [item]}
    assert populate(form(group), PATIENT)["item"][0]["item"][0]["answer"] == [
        {"valueString": "Anne"}
    ]


def test_an_expression_beyond_demographics_is_not_followed() -> None:
    item = {"linkId": "a", "type": "string", **by_expression("%resource.item.answer.value")}
    assert "item" not in populate(form(item), PATIENT)


def test_a_person_who_said_nothing_gets_an_empty_form() -> None:
    item = {"linkId": "a", "type": "string", **by_definition("name.family")}
    assert populate(form(item), {"resourceType": "Patient"}) == {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": "https://example.org/Questionnaire/demographics|2",
        "status": "in-progress",
    }


@pytest.mark.parametrize("name", instruments())
def test_no_outcome_is_ever_filled_in_ahead(name: str) -> None:
    assert "item" not in populate(instrument(name), PATIENT)
