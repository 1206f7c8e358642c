"""Flows of the guide by several organizations.

A decline and a new Task, capacity, enrolment, a patient's own Tasks, self-referral, a hub.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter.exchange.service import Service
from adapter.referral.lifecycle import ACTORS, STATUSES, lifecycle
from tests.unit.api import backend, people, records

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
Headers = dict[str, dict[str, str]]
NAMES = ("Flow clinic", "Flow hub", "Flow club", "Flow garden")


@pytest.fixture
async def who(wire: httpx.AsyncClient, guarded: Service) -> Headers:
    found = {}
    for name in NAMES:
        known = {
            each.name: each.id for each in guarded.store.read_now(lambda tx: tx.clients.list())
        }
        client = known.get(name) or backend.registered(guarded, name, name)
        found[name] = {"Authorization": f"Bearer {await backend.token(wire, guarded, client)}"}
    return found


async def made(wire: httpx.AsyncClient, headers: dict[str, str], body: Json) -> Json:
    answer = await wire.post(f"/{body['resourceType']}", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    stored: Json = answer.json()
    return stored


async def moved(
    wire: httpx.AsyncClient, headers: dict[str, str], task: Json, status: str, **more: Any
) -> Json:
    body = task | {"status": status} | more
    answer = await wire.put(f"/Task/{task['id']}", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    stored: Json = answer.json()
    return stored


async def referral(
    wire: httpx.AsyncClient, headers: dict[str, str], owner: str, **of_request: Any
) -> tuple[str, str, Json]:
    """Patient and request by address, and the Task."""
    subject = f"Patient/{(await made(wire, headers, people.patient()))['id']}"
    body = records.request(subject, owner) | of_request
    focus = f"ServiceRequest/{(await made(wire, headers, body))['id']}"
    task = await made(wire, headers, records.task(focus, subject, owner, owner))
    return subject, focus, task


async def test_after_a_decline_the_request_stays_and_another_task_goes_out(
    wire: httpx.AsyncClient, who: Headers
) -> None:
    subject, focus, task = await referral(wire, who["Flow clinic"], "Flow club")
    why = {"statusReason": {"text": "at capacity"}}
    await moved(wire, who["Flow club"], task, "rejected", **why)
    asked = (await wire.get(f"/{focus}", headers=who["Flow clinic"])).json()
    assert asked["status"] == "active"
    second = records.task(focus, subject, "again", "Flow garden")
    task = await made(wire, who["Flow clinic"], second)
    task = await moved(wire, who["Flow garden"], task, "accepted")
    gone = await wire.get(f"/Task/{task['id']}", headers=who["Flow club"])
    assert gone.status_code == 404


async def test_capacity_is_the_clubs_to_say_and_everybodys_to_read(
    wire: httpx.AsyncClient, who: Headers
) -> None:
    guide = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition"
    service = {
        "resourceType": "HealthcareService",
        "active": True,
        "extension": [{"url": f"{guide}/capacity", "valueCode": "no-capacity"}],
        "type": [{"text": "walking group"}],
    }
    stored = await made(wire, who["Flow club"], service)
    place = f"/HealthcareService/{stored['id']}"
    seen = await wire.get(place, headers=who["Flow clinic"])
    assert seen.json()["extension"][0]["valueCode"] == "no-capacity"
    refused = await wire.put(place, json=seen.json(), headers=who["Flow clinic"])
    assert refused.status_code == 403


async def test_several_outputs_and_an_enrolment_come_back(
    wire: httpx.AsyncClient, who: Headers
) -> None:
    subject, _, task = await referral(wire, who["Flow clinic"], "Flow club")
    club = who["Flow club"]
    task = await moved(wire, club, task, "accepted")
    walked = await made(wire, club, records.record("Procedure", subject, "walked"))
    enrolled = await made(wire, club, records.record("Observation", subject, "enrolled"))

    def output(code: str, **value: Any) -> Json:
        return {"type": {"coding": [{"system": people.GRAVITY, "code": code}]}, **value}

    outputs = [
        output("resulting-activity", valueReference={"reference": f"Procedure/{walked['id']}"}),
        output("resulting-activity", valueCodeableConcept={"text": "gardening"}),
        output("additional-content", valueReference={"reference": f"Observation/{enrolled['id']}"}),
        people.summary(),
    ]
    task = await moved(wire, club, task, "completed", output=outputs)
    seen = (await wire.get(f"/Task/{task['id']}", headers=who["Flow clinic"])).json()
    assert len(seen["output"]) == len(outputs)
    for each in (f"/Procedure/{walked['id']}", f"/Observation/{enrolled['id']}"):
        assert (await wire.get(each, headers=who["Flow clinic"])).status_code == 200


async def test_a_patients_own_task_is_no_referral_and_moves_by_a_table_of_its_own(
    wire: httpx.AsyncClient, who: Headers
) -> None:
    clinic = who["Flow clinic"]
    subject = f"Patient/{(await made(wire, clinic, people.patient()))['id']}"
    code = {"coding": [{"system": people.GRAVITY, "code": "make-contact"}]}
    body = {
        "resourceType": "Task",
        "status": "ready",
        "intent": "order",
        "priority": "routine",
        "code": code,
        "description": "Call the club",
        "for": {"reference": subject},
        "owner": {"reference": subject},
    }
    task = await made(wire, clinic, body)
    assert (await wire.get(f"/Task/{task['id']}", headers=who["Flow club"])).status_code == 404
    born = await wire.post("/Task", json=body | {"status": "requested"}, headers=clinic)
    assert born.status_code == 409
    own, place = lifecycle("sdohcc-patient"), f"/Task/{task['id']}"
    for status in STATUSES:
        if status == "ready" or any(own.allows("ready", status, each) for each in ACTORS):
            continue
        refused = await wire.put(place, json=task | {"status": status}, headers=clinic)
        assert refused.status_code == 409, status
        assert "in-progress" in refused.text
    whose = {"owner": {"display": "Flow club"}}
    refused = await wire.put(place, json=task | whose, headers=clinic)
    assert refused.status_code == 422
    for step in ("in-progress", "on-hold", "completed", "entered-in-error"):
        assert (await moved(wire, clinic, task, step))["status"] == step


async def test_a_self_referral_is_its_platforms_and_the_patient_asks(
    wire: httpx.AsyncClient, who: Headers
) -> None:
    platform = who["Flow hub"]
    subject = f"Patient/{(await made(wire, platform, people.patient()))['id']}"
    body = records.request(subject, "self") | {"requester": {"reference": subject}}
    focus = f"ServiceRequest/{(await made(wire, platform, body))['id']}"
    organization = {"resourceType": "Organization", "name": "Flow hub"}
    own = f"Organization/{(await made(wire, platform, organization))['id']}"
    asked = records.task(focus, subject, "self", "Flow club") | {"requester": {"reference": own}}
    task = await made(wire, platform, asked)
    task = await moved(wire, who["Flow club"], task, "accepted")
    assert task["requester"]["reference"] == own
    stored = (await wire.get(f"/{focus}", headers=platform)).json()
    assert stored["requester"]["reference"] == subject


async def test_a_hub_asks_on_with_child_requests_and_only_it_sees_both_sides(
    wire: httpx.AsyncClient, who: Headers
) -> None:
    hub = who["Flow hub"]
    _, focus, parent = await referral(wire, who["Flow clinic"], "Flow hub")
    parent = await moved(wire, hub, parent, "accepted")
    children = []
    for owner in ("Flow club", "Flow garden"):
        subject = f"Patient/{(await made(wire, hub, people.patient()))['id']}"
        more = {"intent": "filler-order", "basedOn": [{"reference": focus}]}
        asked = records.request(subject, f"child {owner}") | more
        child = f"ServiceRequest/{(await made(wire, hub, asked))['id']}"
        task = records.task(child, subject, f"child {owner}", owner)
        part = {"partOf": [{"reference": f"Task/{parent['id']}"}]}
        children.append(await made(wire, hub, task | part))
        stored = (await wire.get(f"/{child}", headers=hub)).json()
        assert (stored["intent"], stored["basedOn"]) == ("filler-order", [{"reference": focus}])
    found = await wire.get("/Task", params={"part-of": f"Task/{parent['id']}"}, headers=hub)
    ids = {each["resource"]["id"] for each in found.json()["entry"]}
    assert ids == {each["id"] for each in children}
    for owner, child in zip(("Flow club", "Flow garden"), children, strict=True):
        child = await moved(wire, who[owner], child, "accepted")
        await moved(wire, who[owner], child, "completed", output=[people.summary()])
        assert (await wire.get(f"/{focus}", headers=who[owner])).status_code == 404
    none = await wire.get(f"/Task/{children[0]['id']}", headers=who["Flow clinic"])
    assert none.status_code == 404
    await moved(wire, hub, parent, "completed", output=[people.summary()])
