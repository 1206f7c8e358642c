"""$validate, $extract, $populate."""

from __future__ import annotations

import httpx
import pytest

from adapter.fhir.checks import check
from adapter.fhir.instruments import instrument
from tests.unit.api import people

pytestmark = pytest.mark.anyio


async def test_validate_says_what_is_wrong_and_stores_nothing(api: httpx.AsyncClient) -> None:
    wrong = people.patient("P-V") | {"gender": "banana"}
    for body in (
        wrong,
        {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": wrong}]},
    ):
        answer = await api.post("/Patient/$validate", json=body)
        assert answer.status_code == 200
        issue = answer.json()["issue"][0]
        assert (issue["severity"], issue["expression"]) == ("error", ["Patient.gender"])
    found = await api.get("/Patient", params={"identifier": "P-V"})
    assert found.json()["total"] == 0


async def test_validate_of_what_is_right_or_stored_is_all_well(api: httpx.AsyncClient) -> None:
    made = (await api.post("/Patient", json=people.patient())).json()
    for address in ("/Patient/$validate", f"/Patient/{made['id']}/$validate"):
        answer = await api.post(address, json=made)
        assert answer.json()["issue"][0]["severity"] == "information"
    stored = await api.post(f"/Patient/{made['id']}/$validate")
    assert stored.json()["issue"][0]["severity"] == "information"


async def test_validate_asks_the_profile_that_is_named(api: httpx.AsyncClient) -> None:
    answer = await api.post(
        "/Patient/$validate", params={"profile": "urn:nowhere"}, json=people.patient()
    )
    assert answer.json()["issue"][0]["severity"] == "warning"


async def test_populate_fills_in_what_the_record_says(api: httpx.AsyncClient) -> None:
    person = (await api.post("/Patient", json=people.patient())).json()
    form = {
        "resourceType": "Questionnaire",
        "status": "active",
        "item": [
            {
                "linkId": "born",
                "type": "date",
                "definition": "http://hl7.org/fhir/StructureDefinition/Patient#Patient.birthDate",
            }
        ],
    }
    given = [
        {"name": "questionnaire", "resource": form},
        {"name": "subject", "valueReference": {"reference": f"Patient/{person['id']}"}},
    ]
    answer = await api.post(
        "/Questionnaire/$populate", json={"resourceType": "Parameters", "parameter": given}
    )
    assert answer.status_code == 200, answer.text
    response = answer.json()["parameter"][0]["resource"]
    assert response["item"][0]["answer"] == [{"valueDate": "1950-01-01"}]


async def test_extract_gives_the_observations_of_a_shipped_questionnaire(
    api: httpx.AsyncClient,
) -> None:
    form = instrument("hunger-vital-sign")
    person = (await api.post("/Patient", json=people.patient())).json()
    response = {
        "resourceType": "QuestionnaireResponse",
        "identifier": {"system": "urn:oid:2.999.4", "value": "QR-1"},
        "questionnaire": form["url"],
        "status": "completed",
        "subject": {"reference": f"Patient/{person['id']}"},
        "authored": "2026-03-02T10:00:00Z",
        "item": [
            {"linkId": item["linkId"], "answer": [{"valueCoding": option["valueCoding"]}]}
            for item in form["item"]
            if item.get("answerOption")
            for option in item["answerOption"][:1]
        ],
    }
    stored = await api.post("/QuestionnaireResponse", json=response)
    assert stored.status_code == 201, stored.text
    answer = await api.post(f"/QuestionnaireResponse/{stored.json()['id']}/$extract")
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert check(bundle) == []
    assert bundle["type"] == "transaction"


async def test_a_response_without_a_name_of_its_own_is_extracted_the_same_each_time(
    api: httpx.AsyncClient,
) -> None:
    form = instrument("hunger-vital-sign")
    item = next(each for each in form["item"] if each.get("answerOption"))
    answer = {"valueCoding": item["answerOption"][0]["valueCoding"]}
    response = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": form["url"],
        "status": "completed",
        "item": [{"linkId": item["linkId"], "answer": [answer]}],
    }
    made = [(await api.post("/QuestionnaireResponse/$extract", json=response)) for _ in range(2)]
    assert [each.status_code for each in made] == [200, 200]
    first, again = ([each["fullUrl"] for each in one.json()["entry"]] for one in made)
    assert first == again
    source = made[0].json()["entry"][0]["resource"]["derivedFrom"][0]
    assert source["identifier"]["value"].startswith("urn:uuid:")
    posted = await api.post("/", json=made[0].json())
    assert posted.status_code == 200, posted.text
