"""ConceptMap and $translate over the application: the code tables that the maps use."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter.fhir.checks import check
from adapter.mapping.export import BASE

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
GENDER = f"{BASE}/ConceptMap/v2-0001-to-right"
V2, R4 = (
    "http://terminology.hl7.org/CodeSystem/v2-0001",
    "http://hl7.org/fhir/administrative-gender",
)


def told(answer: httpx.Response) -> tuple[bool, list[str]]:
    """The result and the codes of an answer, after checking it."""
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert check(made) == []
    result, *rest = made["parameter"]
    codes = [
        part["valueCoding"]["code"]
        for each in rest
        if each["name"] == "match"
        for part in each["part"]
        if part["name"] == "concept"
    ]
    return result["valueBoolean"], codes


async def test_every_table_is_listed_read_and_right(api: httpx.AsyncClient) -> None:
    bundle = (await api.get("/ConceptMap")).json()
    assert check(bundle) == []
    assert bundle["total"] == len(bundle["entry"]) > 60
    for entry in bundle["entry"][::9]:
        one = (await api.get(f"/ConceptMap/{entry['resource']['id']}")).json()
        assert one == entry["resource"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"url": GENDER}, ["v2-0001-to-right"]),
        ({"_id": "v2-0001-to-left,v2-0001-to-right"}, ["v2-0001-to-right", "v2-0001-to-left"]),
        ({"source-system": V2, "status": "active"}, ["v2-0001-to-right"]),
        ({"name": "codetablev20001"}, ["v2-0001-to-right", "v2-0001-to-left"]),
        ({"url": "urn:nobody"}, []),
    ],
)
async def test_tables_are_searched(api: httpx.AsyncClient, asked: Json, found: list[str]) -> None:
    for answer in (
        await api.get("/ConceptMap", params=asked),
        await api.post("/ConceptMap/_search", data=asked),
    ):
        bundle = answer.json()
        assert check(bundle) == []
        assert [each["resource"]["id"] for each in bundle.get("entry", ())] == found


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        ({"url": GENDER, "code": "F", "system": V2}, ["female"]),
        ({"url": GENDER, "code": "F"}, ["female"]),
        ({"code": "F", "system": V2}, ["female"]),
        ({"code": "F", "system": V2, "targetsystem": R4}, ["female"]),
        ({"code": "F", "system": V2, "target": "urn:other"}, []),
        ({"url": GENDER, "code": "female", "system": R4, "reverse": "true"}, ["F"]),
        ({"url": GENDER, "code": "Q", "system": V2}, []),
    ],
)
async def test_a_code_is_translated_by_get_and_by_post(
    api: httpx.AsyncClient, asked: Json, codes: list[str]
) -> None:
    values = {"url": "Uri", "code": "Code", "reverse": "Boolean"}
    parameters = [
        {
            "name": name,
            f"value{values.get(name, 'Uri')}": value == "true" if name == "reverse" else value,
        }
        for name, value in asked.items()
    ]
    body = {"resourceType": "Parameters", "parameter": parameters}
    assert check(body) == []
    for answer in (
        await api.get("/ConceptMap/$translate", params=asked),
        await api.post("/ConceptMap/$translate", json=body),
    ):
        result, found = told(answer)
        assert set(codes) == set(found)
        assert result is bool(codes)


async def test_codings_and_concepts_are_translated_too(api: httpx.AsyncClient) -> None:
    coding = {"system": V2, "code": "M"}
    for name, value in (
        ("valueCoding", coding),
        ("valueCodeableConcept", {"coding": [{"system": V2, "code": "Q"}, coding]}),
    ):
        given = {"name": name[5].lower() + name[6:], name: value}
        body = {"resourceType": "Parameters", "parameter": [given]}
        address = "/ConceptMap/v2-0001-to-right/$translate"
        assert told(await api.post(address, json=body)) == (True, ["male"])


async def test_a_table_may_come_along(api: httpx.AsyncClient) -> None:
    target = {"code": "red", "equivalence": "equal"}
    own = {
        "resourceType": "ConceptMap",
        "status": "draft",
        "group": [{"element": [{"code": "r", "target": [target]}]}],
    }
    given = [{"name": "conceptMap", "resource": own}, {"name": "code", "valueCode": "r"}]
    body = {"resourceType": "Parameters", "parameter": given}
    assert told(await api.post("/ConceptMap/$translate", json=body)) == (True, ["red"])
    own["group"] = [{}]
    assert (await api.post("/ConceptMap/$translate", json=body)).status_code == 400


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/ConceptMap/absent", 404),
        ("/ConceptMap/absent/$translate?code=F", 404),
        ("/ConceptMap/$translate?url=urn:absent&code=F", 404),
        ("/ConceptMap/$translate", 400),
        ("/ConceptMap/$translate?code=F&reverse=perhaps", 400),
        ("/ConceptMap?colour=red", 400),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    api: httpx.AsyncClient, address: str, status: int
) -> None:
    answer = await api.get(address)
    assert answer.status_code == status
    assert check(answer.json()) == []


@pytest.mark.parametrize(
    "parameter",
    [
        {"name": "coding", "valueCoding": {"system": V2}},
        {"name": "coding", "valueCoding": "F"},
        {"name": "codeableConcept", "valueCodeableConcept": {"text": "female"}},
        {"name": "code", "valueInteger": 3},
        {"valueCode": "F"},
        3,
    ],
)
async def test_a_question_that_makes_no_sense_is_400(
    api: httpx.AsyncClient, parameter: Any
) -> None:
    body = {"resourceType": "Parameters", "parameter": [parameter]}
    assert (await api.post("/ConceptMap/$translate", json=body)).status_code == 400


async def test_nobody_writes_them(api: httpx.AsyncClient) -> None:
    own = {"resourceType": "ConceptMap", "status": "active"}
    assert (await api.post("/ConceptMap", json=own)).status_code in (404, 405)
    assert (await api.put("/ConceptMap/v2-0001-to-right", json=own)).status_code in (404, 405)
    assert (await api.delete("/ConceptMap/v2-0001-to-right")).status_code == 405
