"""$validate, $extract, $populate."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter.fhir.checks import check
from adapter.fhir.instruments import instrument
from tests.unit.api import people

pytestmark = pytest.mark.anyio
Json = dict[str, Any]


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


async def _answers(api: httpx.AsyncClient) -> Json:
    """A stored, completed response to Hunger Vital Sign: both questions answered."""
    form = instrument("hunger-vital-sign")
    person = (await api.post("/Patient", json=people.patient())).json()
    asked = [item for item in form["item"] if item.get("answerOption")]
    response = {
        "resourceType": "QuestionnaireResponse",
        "questionnaire": form["url"],
        "status": "completed",
        "subject": {"reference": f"Patient/{person['id']}"},
        "authored": "2026-03-02T10:00:00Z",
        "item": [
            {
                "linkId": item["linkId"],
                "answer": [{"valueCoding": item["answerOption"][0]["valueCoding"]}],
            }
            for item in asked
        ],
    }
    stored: Json = (await api.post("/QuestionnaireResponse", json=response)).json()
    return stored


async def _extract(api: httpx.AsyncClient, response: Json) -> list[Json]:
    """Extract, post what came, and return the entries that were posted."""
    bundle = (await api.post(f"/QuestionnaireResponse/{response['id']}/$extract")).json()
    assert check(bundle) == []
    posted = await api.post("/", json=bundle)
    assert posted.status_code == 200, posted.text
    entries: list[Json] = bundle["entry"]
    return entries


async def _observations(api: httpx.AsyncClient, response: Json) -> list[tuple[str, str, str]]:
    query = {"subject": response["subject"]["reference"]}
    found = (await api.get("/Observation", params=query)).json()
    rows = [each["resource"] for each in found.get("entry", [])]
    return sorted((o["id"], o["status"], o["meta"]["versionId"]) for o in rows)


async def test_extracting_and_posting_again_changes_nothing(api: httpx.AsyncClient) -> None:
    response = await _answers(api)
    first = await _extract(api, response)
    here = await _observations(api, response)
    assert [(status, version) for _, status, version in here] == [("final", "1")] * 2
    second = await _extract(api, response)
    assert await _observations(api, response) == here
    assert [e["fullUrl"] for e in second] == [e["fullUrl"] for e in first[:2]]
    assert [e["resource"]["id"] for e in second] == [e["resource"]["id"] for e in first[:2]]
    assert [e["resource"]["resourceType"] for e in first].count("Provenance") == 1


async def test_an_amended_response_gives_the_next_version_of_what_changed(
    api: httpx.AsyncClient,
) -> None:
    response = await _answers(api)
    await _extract(api, response)
    here = await _observations(api, response)
    options = instrument("hunger-vital-sign")["item"]
    other = next(o for o in options if o["linkId"] == response["item"][0]["linkId"])["answerOption"]
    changed = {**response["item"][0], "answer": [{"valueCoding": other[1]["valueCoding"]}]}
    amended = {**response, "status": "amended", "item": [changed]}  # the second is taken back
    stored = await api.put(f"/QuestionnaireResponse/{response['id']}", json=amended)
    assert stored.status_code == 200, stored.text
    await _extract(api, response)
    after = await _observations(api, response)
    assert [identity for identity, *_ in after] == [identity for identity, *_ in here]
    assert sorted((status, version) for _, status, version in after) == [
        ("amended", "2"),
        ("entered-in-error", "2"),
    ]
    await _extract(api, response)
    assert await _observations(api, response) == after
