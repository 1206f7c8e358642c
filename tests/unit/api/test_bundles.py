"""batch and transaction."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from adapter.fhir.bundles import batch, post, put, transaction
from adapter.fhir.checks import check
from tests.unit.api import people

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
Bundle: Json = {"resourceType": "Bundle"}
PERSON, ASKED, TASK = (f"urn:uuid:00000000-0000-4000-8000-00000000000{n}" for n in range(3))


def whole(number: str, **more: Any) -> list[Json]:
    """A referral, its Task first: the server finds the order."""
    return [
        post(people.task(ASKED, PERSON), full_url=TASK),
        post(people.request(PERSON, f"SR-{number}", **more), full_url=ASKED),
        post(people.patient(f"P-{number}"), full_url=PERSON),
    ]


async def test_a_transaction_makes_a_referral_and_resolves_its_links(
    api: httpx.AsyncClient,
) -> None:
    answer = await api.post("/", json=transaction(whole("T1")))
    bundle = answer.json()
    assert answer.status_code == 200, answer.text
    assert check(bundle) == []
    assert [e["response"]["status"] for e in bundle["entry"]] == ["201 Created"] * 3
    task, asked, person = (e["resource"] for e in bundle["entry"])
    assert task["focus"]["reference"] == f"ServiceRequest/{asked['id']}"
    assert task["for"]["reference"] == f"Patient/{person['id']}"
    found = (await api.get("/Task", params={"focus": f"ServiceRequest/{asked['id']}"})).json()
    assert found["total"] == 1


async def test_one_wrong_entry_undoes_all_and_is_named(api: httpx.AsyncClient) -> None:
    entries = whole("T2")
    entries[0]["resource"]["status"] = "in-progress"
    answer = await api.post("/", json=transaction(entries))
    assert answer.status_code == 409
    issue = answer.json()["issue"][0]
    assert issue["expression"] == ["Bundle.entry[0].resource.status"]
    found = await api.get("/Patient", params={"identifier": "urn:oid:2.999.1|P-T2"})
    assert found.json()["total"] == 0


async def test_a_refused_move_in_a_transaction_undoes_the_others(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api, "T3")
    entries = [post(people.patient("P-T3b")), put(task | {"status": "in-progress"})]
    assert (await api.post("/", json=transaction(entries))).status_code == 409
    found = await api.get("/Patient", params={"identifier": "P-T3b"})
    assert found.json()["total"] == 0


async def test_a_condition_and_a_conditional_reference_find_what_is_here(
    api: httpx.AsyncClient,
) -> None:
    person = (await api.post("/Patient", json=people.patient("P-T4"))).json()
    condition = "identifier=urn:oid:2.999.1|P-T4"
    entries = [
        post(people.patient("P-T4"), full_url=PERSON, if_none_exist=condition),
        post(people.request(PERSON, "SR-T4a")),
        post(people.request(f"Patient?{condition}", "SR-T4b")),
    ]
    made = (await api.post("/", json=transaction(entries))).json()["entry"]
    assert made[0]["response"]["status"] == "200 OK"
    subjects = {each["resource"]["subject"]["reference"] for each in made[1:]}
    assert subjects == {f"Patient/{person['id']}"}


async def test_a_conditional_reference_to_nothing_is_412(api: httpx.AsyncClient) -> None:
    entries = [post(people.request("Patient?identifier=nobody", "SR-T5"))]
    assert (await api.post("/", json=transaction(entries))).status_code == 412


async def test_a_batch_does_each_entry_by_itself(api: httpx.AsyncClient) -> None:
    person = (await api.post("/Patient", json=people.patient("P-B1"))).json()
    wrong = people.patient("P-B2") | {"gender": "banana"}
    entries: list[Any] = [
        post(people.patient("P-B3")),
        post(wrong),
        {"request": {"method": "GET", "url": f"Patient/{person['id']}"}},
        {"request": {"method": "GET", "url": "Patient?identifier=P-B3"}},
        {"request": {"method": "DELETE", "url": "Patient/1"}},
        {"request": {"method": "GET", "url": "Patient/absent"}},
        "no entry",
    ]
    bundle = (await api.post("/", json=batch(entries))).json()
    statuses = [each["response"]["status"][:3] for each in bundle["entry"]]
    assert statuses == ["201", "422", "200", "200", "405", "404", "400"]
    assert bundle["entry"][3]["resource"]["total"] == 1
    assert check(bundle) == []


async def test_a_stale_if_match_inside_a_bundle_is_412(api: httpx.AsyncClient) -> None:
    person = (await api.post("/Patient", json=people.patient("P-B4"))).json()
    await api.put(f"/Patient/{person['id']}", json=person | {"gender": "female"})
    entry = put(person | {"gender": "male"}, if_match="1")
    bundle = (await api.post("/", json=batch([entry]))).json()
    assert bundle["entry"][0]["response"]["status"].startswith("412")


@pytest.mark.parametrize("kind", ["batch", "transaction"])
async def test_a_search_can_name_what_an_entry_updates(api: httpx.AsyncClient, kind: str) -> None:
    number = f"P-{kind}"
    place = f"Patient?identifier=urn:oid:2.999.1|{number}"

    async def updated(**more: Any) -> Json:
        body = people.patient(number) | more
        entry = {"resource": body, "request": {"method": "PUT", "url": place}}
        answer = await api.post("/", json=Bundle | {"type": kind, "entry": [entry]})
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()["entry"][0]
        return found

    first, again = await updated(), await updated(gender="female")
    assert [each["response"]["status"][:3] for each in (first, again)] == ["201", "200"]
    assert first["resource"]["id"] == again["resource"]["id"]
    assert again["resource"]["gender"] == "female"
    await api.post("/Patient", json=people.patient(number))
    entry = {"resource": people.patient(number), "request": {"method": "PUT", "url": place}}
    several = await api.post("/", json=Bundle | {"type": "transaction", "entry": [entry]})
    assert several.status_code == 412
    assert several.json()["issue"][0]["expression"] == ["Bundle.entry[0].request.url"]


async def test_a_task_is_patched_in_a_bundle_by_either_kind_of_patch(
    api: httpx.AsyncClient,
) -> None:
    _, _, task = await people.referral(api, "T6")
    steps = b'[{"op": "replace", "path": "/status", "value": "in-progress"}]'
    data = base64.b64encode(steps).decode()
    part = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Task.status"},
        {"name": "value", "valueCode": "accepted"},
    ]
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}
    binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data}
    asked = {"method": "PATCH", "url": f"Task/{task['id']}"}
    for body, status in ((parameters, "accepted"), (binary, "in-progress")):
        entry = {"resource": body, "request": asked}
        answer = await api.post("/", json=Bundle | {"type": "transaction", "entry": [entry]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["entry"][0]["resource"]["status"] == status
    wrong = [
        {"resource": parameters, "request": asked},  # accepted is not allowed from in-progress
        {"resource": people.patient(), "request": asked},
        {"resource": binary | {"data": "###"}, "request": asked},
        {"resource": binary, "request": asked | {"url": "Patient/1"}},
    ]
    answer = await api.post("/", json=Bundle | {"type": "batch", "entry": wrong})
    statuses = [each["response"]["status"][:3] for each in answer.json()["entry"]]
    assert statuses == ["409", "400", "400", "405"]


async def test_a_bundle_reads_histories_and_the_statement_and_whole_addresses(
    api: httpx.AsyncClient,
) -> None:
    _, _, task = await people.referral(api, "T7")
    own = f"Task/{task['id']}"
    urls = (f"{own}/_history", "Task/_history?_count=1", "metadata", f"{api.base_url}{own}")
    entries = [{"request": {"method": "GET", "url": str(each)}} for each in urls]
    answer = (await api.post("/", json=Bundle | {"type": "batch", "entry": entries})).json()
    assert [each["response"]["status"] for each in answer["entry"]] == ["200 OK"] * 4
    kinds = [each["resource"]["resourceType"] for each in answer["entry"]]
    assert kinds == ["Bundle", "Bundle", "CapabilityStatement", "Task"]
