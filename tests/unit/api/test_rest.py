"""History by type, conditional update, parts of resources, chained search."""

from __future__ import annotations

import httpx
import pytest
from fhir.resources.R4B import get_fhir_model_class

from adapter.api.offered import TYPES
from adapter.api.subsets import parts
from tests.unit.api import people

pytestmark = pytest.mark.anyio


async def test_the_history_of_a_type_has_every_version_once_page_by_page(
    api: httpx.AsyncClient,
) -> None:
    made = (await api.post("/Goal", json=goal())).json()
    for words in ("a", "b"):
        await api.put(f"/Goal/{made['id']}", json=made | {"description": {"text": words}})
    await api.post("/Goal", json=goal())
    whole = (await api.get("/Goal/_history", params={"_count": 500})).json()
    versions = [(e["resource"]["id"], e["resource"]["meta"]["versionId"]) for e in whole["entry"]]
    assert len(versions) == len(set(versions)) >= 4
    paged, place = [], "/Goal/_history?_count=1"
    while place:
        page = (await api.get(place)).json()
        assert len(page["entry"]) == 1
        paged += [(e["resource"]["id"], e["resource"]["meta"]["versionId"]) for e in page["entry"]]
        place = next((each["url"] for each in page["link"] if each["relation"] == "next"), "")
    assert paged == versions
    since = whole["entry"][0]["resource"]["meta"]["lastUpdated"]
    later = (await api.get("/Goal/_history", params={"_since": since})).json()
    assert len(later["entry"]) <= len(versions)


async def test_the_history_of_one_has_pages_a_count_and_a_beginning(
    api: httpx.AsyncClient,
) -> None:
    made = (await api.post("/Goal", json=goal())).json()
    for words in ("a", "b", "c"):
        await api.put(f"/Goal/{made['id']}", json=made | {"description": {"text": words}})
    place, seen = f"/Goal/{made['id']}/_history?_count=2", []
    while place:
        page = (await api.get(place)).json()
        assert page["total"] == 4
        seen += [each["resource"]["meta"]["versionId"] for each in page["entry"]]
        place = next((each["url"] for each in page["link"] if each["relation"] == "next"), "")
    assert seen == ["4", "3", "2", "1"]
    later = await api.get(f"/Goal/{made['id']}/_history?_since=2999-01-01")
    assert (later.status_code, later.json()["total"], "entry" in later.json()) == (200, 0, False)
    assert (await api.get(f"/Goal/{made['id']}/_history?_count=x")).status_code == 400


async def test_a_read_gives_304_for_what_is_known_and_a_part_for_what_is_asked(
    api: httpx.AsyncClient,
) -> None:
    answer = await api.post("/Goal", json=goal())
    place, changed = f"/Goal/{answer.json()['id']}", answer.headers["last-modified"]
    old = "Mon, 01 Jan 2001 00:00:00 GMT"
    for headers, status in (
        ({"If-None-Match": 'W/"1"'}, 304),
        ({"If-None-Match": '"7", W/"1"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": 'W/"2"'}, 200),
        ({"If-Modified-Since": changed}, 304),
        ({"If-Modified-Since": old}, 200),
        ({"If-Modified-Since": "yesterday"}, 200),
        ({"If-None-Match": 'W/"2"', "If-Modified-Since": changed}, 200),
    ):
        assert (await api.get(place, headers=headers)).status_code == status, headers
    part = (await api.get(place, params={"_elements": "lifecycleStatus"})).json()
    assert "startDate" not in part
    assert part["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert (await api.get(place, params={"_summary": "true"})).status_code == 200
    assert (await api.get(place, params={"_summary": "count"})).status_code == 400


def goal() -> people.Json:
    return {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": {"text": "company"},
        "subject": {"display": "somebody"},
    }


async def test_an_update_by_a_search_makes_one_or_changes_it_or_is_412(
    api: httpx.AsyncClient,
) -> None:
    place = "/Patient?identifier=urn:oid:2.999.1|CU-1"
    body = people.patient("CU-1")
    first = await api.put(place, json=body)
    assert first.status_code == 201
    again = await api.put(place, json=body | {"gender": "female"})
    assert again.status_code == 200
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["meta"]["versionId"] == "2"
    other = await api.put(place, json=body | {"id": "another"})
    assert other.status_code == 400
    await api.post("/Patient", json=body)
    assert (await api.put(place, json=body)).status_code == 412
    assert (await api.put("/Patient", json=body)).status_code == 400


@pytest.mark.parametrize("kind", [*TYPES, "Subscription"])
def test_the_table_of_summaries_is_that_of_the_definitions(kind: str) -> None:
    model = get_fhir_model_class(kind)
    summary, mandatory = parts(kind)
    assert summary == set(model.summary_elements_sequence()) - {"id", "meta", "implicitRules"}
    assert mandatory <= {field.alias or name for name, field in model.model_fields.items()}


async def test_a_summary_and_elements_are_a_marked_part(api: httpx.AsyncClient) -> None:
    _, asked, task = await people.referral(api, "sum")
    found = {"_id": task["id"]}

    async def only(**more: str) -> people.Json:
        answer = await api.get("/Task", params=found | more)
        assert answer.status_code == 200, answer.text
        part: people.Json = answer.json()["entry"][0]["resource"]
        return part

    summary = await only(_summary="true")
    assert "focus" in summary
    assert "authoredOn" not in summary
    assert summary["meta"]["tag"][-1]["code"] == "SUBSETTED"
    named = await only(_elements="authoredOn,Task.for")
    assert set(named) == {"resourceType", "id", "meta", "authoredOn", "for", "status", "intent"}
    assert "text" not in await only(_summary="data")
    assert "focus" not in await only(_summary="text")
    assert asked["id"] in (await only())["focus"]["reference"]


async def test_a_chain_is_followed_one_step(api: httpx.AsyncClient) -> None:
    _, asked, task = await people.referral(api, "chain")
    for params in (
        {"patient.identifier": "urn:oid:2.999.1|P-chain"},
        {"subject:Patient.identifier": "P-chain"},
        {"focus.identifier": "SR-chain"},
        {"focus.status": "active", "focus.identifier": "SR-chain"},
    ):
        found = (await api.get("/Task", params=params)).json()
        assert [each["resource"]["id"] for each in found["entry"]] == [task["id"]], params
    none = await api.get("/Task", params={"patient.identifier": "nobody"})
    assert none.json()["total"] == 0
    for wrong in ("patient.banana", "status.identifier", "owner:Task.identifier"):
        assert (await api.get("/Task", params={wrong: "x"})).status_code == 400
    assert asked["id"] in task["focus"]["reference"]
