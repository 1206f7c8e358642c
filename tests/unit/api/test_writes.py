"""create, update, patch: one by one, over a real store."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from adapter.exchange.service import Service
from adapter.fhir.checks import check
from tests.unit.api import people

pytestmark = pytest.mark.anyio
JSON_PATCH = {"content-type": "application/json-patch+json"}


def first(answer: httpx.Response) -> dict[str, Any]:
    """The first issue of an OperationOutcome."""
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert check(outcome) == []
    issue: dict[str, Any] = outcome["issue"][0]
    assert issue["expression"], answer.text
    return issue


async def test_a_posted_request_and_task_become_a_referral(
    api: httpx.AsyncClient, service: Service
) -> None:
    _, asked, task = await people.referral(api)
    kept = await service.store.read(lambda tx: service.ledger.load(tx, asked["id"]))
    assert kept is not None
    assert [each.id for each in kept.case.fulfilments] == [task["id"]]
    assert kept.test
    lines = await service.store.read(lambda tx: tx.journal.of(asked["id"]))
    assert [line.kind for line in lines][:3] == [
        "message.received",
        "referral.received",
        "fulfilment.requested",
    ]


async def test_what_is_created_is_located_versioned_and_right(api: httpx.AsyncClient) -> None:
    answer = await api.post("/Patient", json=people.patient())
    made = answer.json()
    assert answer.status_code == 201
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["location"].endswith(f"/fhir/Patient/{made['id']}/_history/1")
    assert check(made) == []
    assert (await api.get(f"/Patient/{made['id']}")).json() == made


async def test_the_client_cannot_choose_the_id(api: httpx.AsyncClient) -> None:
    made = (await api.post("/Patient", json=people.patient() | {"id": "mine"})).json()
    assert made["id"] != "mine"
    answer = await api.put("/Patient/mine", json=people.patient() | {"id": "mine"})
    assert (answer.status_code, first(answer)["code"]) == (405, "not-supported")


async def test_a_patient_that_a_client_wrote_stays_as_written(api: httpx.AsyncClient) -> None:
    extra = {"extension": [{"url": "urn:oid:2.999.9", "valueString": "kept"}]}
    person = (await api.post("/Patient", json=people.patient() | extra)).json()
    subject = f"Patient/{person['id']}"
    asked = (await api.post("/ServiceRequest", json=people.request(subject))).json()
    await api.post("/Task", json=people.task(f"ServiceRequest/{asked['id']}", subject))
    assert (await api.get(f"/Patient/{person['id']}")).json() == person


async def test_an_input_of_a_task_is_kept_through_its_moves(api: httpx.AsyncClient) -> None:
    person = (await api.post("/Patient", json=people.patient())).json()
    subject = f"Patient/{person['id']}"
    asked = (await api.post("/ServiceRequest", json=people.request(subject))).json()
    given = [{"type": {"text": "content"}, "valueString": "bring shoes"}]
    posted = people.task(f"ServiceRequest/{asked['id']}", subject, input=given)
    task = (await api.post("/Task", json=posted)).json()
    assert task["input"] == given
    moved = await api.put(f"/Task/{task['id']}", json=task | {"status": "accepted"})
    assert moved.json()["input"] == given


async def test_a_stale_if_match_is_412_and_the_newest_is_taken(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api)
    address, changed = f"/Task/{task['id']}", task | {"status": "accepted"}
    assert (await api.put(address, json=changed, headers={"If-Match": 'W/"1"'})).status_code == 200
    stale = await api.put(address, json=changed, headers={"If-Match": 'W/"1"'})
    assert (stale.status_code, first(stale)["code"]) == (412, "conflict")
    unread = await api.put(address, json=changed, headers={"If-Match": "yesterday"})
    assert unread.status_code == 400


async def test_an_illegal_transition_is_409_with_what_is_allowed_and_journaled(
    api: httpx.AsyncClient, service: Service
) -> None:
    _, asked, task = await people.referral(api)
    answer = await api.put(f"/Task/{task['id']}", json=task | {"status": "in-progress"})
    assert answer.status_code == 409
    issue = first(answer)
    assert issue["expression"] == ["Task.status"]
    for allowed in ("accepted", "rejected", "cancelled", "entered-in-error"):
        assert allowed in issue["diagnostics"]
    assert (await api.get(f"/Task/{task['id']}")).json()["meta"]["versionId"] == "1"
    lines = await service.store.read(lambda tx: tx.journal.of(asked["id"]))
    assert lines[-1].kind == "fulfilment.move-refused"


async def test_completed_needs_an_output_and_completes_the_request(api: httpx.AsyncClient) -> None:
    _, asked, task = await people.referral(api)
    address = f"/Task/{task['id']}"
    task = (await api.put(address, json=task | {"status": "accepted"})).json()
    bare = await api.put(address, json=task | {"status": "completed"})
    assert (bare.status_code, first(bare)["expression"]) == (422, ["Task.output"])
    done = await api.put(address, json=task | {"status": "completed", "output": [people.summary()]})
    assert done.json()["output"][0]["valueString"] == people.summary()["valueString"]
    request = (await api.get(f"/ServiceRequest/{asked['id']}")).json()
    assert request["status"] == "completed"
    assert check(done.json()) == check(request) == []


async def test_an_activity_that_the_agency_posted_is_the_output(api: httpx.AsyncClient) -> None:
    person, _, task = await people.referral(api)
    address = f"/Task/{task['id']}"
    task = (await api.put(address, json=task | {"status": "accepted"})).json()
    procedure = {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Walking group"},
        "subject": {"reference": f"Patient/{person['id']}"},
    }
    activity = (await api.post("/Procedure", json=procedure)).json()
    output = {
        "type": {"coding": [{"system": people.GRAVITY, "code": "resulting-activity"}]},
        "valueReference": {"reference": f"Procedure/{activity['id']}"},
    }
    done = await api.put(address, json=task | {"status": "completed", "output": [output]})
    assert done.status_code == 200, done.text
    assert done.json()["output"][0]["valueReference"] == output["valueReference"]
    assert (await api.get(f"/Procedure/{activity['id']}")).json() == activity


async def test_outputs_are_appended_and_never_taken_away(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api)
    address = f"/Task/{task['id']}"
    task = (await api.put(address, json=task | {"status": "accepted"})).json()
    task = (await api.put(address, json=task | {"output": [people.summary()]})).json()
    other = [people.summary("Something else.")]
    answer = await api.put(address, json=task | {"output": other})
    assert (answer.status_code, first(answer)["expression"]) == (422, ["Task.output"])


async def test_what_a_new_version_leaves_out_stays(api: httpx.AsyncClient) -> None:
    person, asked, _ = await people.referral(api)
    parties = {"requester": {"display": "clinic"}, "owner": {"display": "club"}}
    more = {"input": [{"type": {"text": "hint"}, "valueString": "mornings"}]}
    body = people.task(f"ServiceRequest/{asked['id']}", f"Patient/{person['id']}")
    task = (await api.post("/Task", json=body | parties | more)).json()
    place = f"/Task/{task['id']}"
    said = await api.put(place, json=task | {"status": "accepted", "output": [people.summary()]})
    assert said.status_code == 200, said.text
    least = {name: task[name] for name in ("resourceType", "id", "intent", "code")}
    said = await api.put(place, json=least | {"status": "completed"})
    assert said.status_code == 200, said.text
    after = said.json()
    for name in ("requester", "owner", "focus", "for", "input"):
        assert after[name] == task[name], name
    assert len(after["output"]) == 1
    step = [{"op": "remove", "path": "/output"}]
    headers = {"content-type": "application/json-patch+json"}
    taken = await api.patch(place, content=json.dumps(step), headers=headers)
    assert (taken.status_code, first(taken)["expression"]) == (422, ["Task.output"])


async def test_an_output_that_no_table_carries_is_refused_and_nothing_moves(
    api: httpx.AsyncClient,
) -> None:
    _, _, task = await people.referral(api)
    address = f"/Task/{task['id']}"
    task = (await api.put(address, json=task | {"status": "accepted"})).json()
    foreign = {
        "type": {"coding": [{"system": people.OWN, "code": "goal-progress"}]},
        "valueBoolean": True,
    }
    both = [people.summary(), foreign]
    answer = await api.put(address, json=task | {"status": "completed", "output": both})
    assert (answer.status_code, first(answer)["expression"]) == (422, ["Task.output"])
    assert (await api.get(address)).json() == task


async def test_the_same_put_again_makes_no_version(api: httpx.AsyncClient) -> None:
    person, _, task = await people.referral(api)
    again = await api.put(f"/Task/{task['id']}", json=task)
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"1"')
    same = await api.put(f"/Patient/{person['id']}", json=person)
    assert (same.status_code, same.headers["etag"]) == (200, 'W/"1"')


async def test_what_identifies_a_task_stays(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api)
    other, _, _ = await people.referral(api, "2")
    changed = task | {"for": {"reference": f"Patient/{other['id']}"}}
    answer = await api.put(f"/Task/{task['id']}", json=changed)
    assert (answer.status_code, first(answer)["expression"]) == (422, ["Task.for"])


async def test_whoever_comes_second_to_an_open_task_gets_409(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api)
    place = f"/Task/{task['id']}"
    mine, theirs = ({"owner": {"display": name}, "status": "accepted"} for name in ("us", "them"))
    assert (await api.put(place, json=task | mine)).status_code == 200
    late = await api.put(place, json=task | theirs)
    assert (late.status_code, first(late)["expression"]) == (409, ["Task.owner"])
    assert (await api.get(place)).json()["owner"] == mine["owner"]


async def test_an_open_task_is_claimed_by_a_patch_once(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api)
    place = f"/Task/{task['id']}"
    for name, status in (("us", 200), ("them", 409)):
        steps = [
            {"op": "add", "path": "/owner", "value": {"display": name}},
            {"op": "replace", "path": "/status", "value": "accepted"},
        ]
        answer = await api.patch(place, content=json.dumps(steps), headers=JSON_PATCH)
        assert answer.status_code == status, answer.text
    assert (await api.get(place)).json()["owner"] == {"display": "us"}


async def test_business_status_and_reason_are_carried(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api)
    answer = await api.put(
        f"/Task/{task['id']}",
        json=task
        | {
            "status": "rejected",
            "statusReason": {"text": "the program is full"},
            "businessStatus": {"text": "waitlist closed"},
            "note": [{"text": "call again in spring"}, {"text": "or in summer"}],
        },
    )
    said = answer.json()
    assert said["statusReason"]["text"] == "the program is full"
    assert said["businessStatus"]["text"] == "waitlist closed"
    assert [each["text"] for each in said["note"]] == ["call again in spring", "or in summer"]


async def test_the_reason_of_a_pause_does_not_outlive_it(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api)
    place = f"/Task/{task['id']}"
    await api.put(place, json=task | {"status": "accepted"})
    held = task | {"status": "on-hold", "statusReason": {"text": "the hall is closed"}}
    held = (await api.put(place, json=held)).json()
    assert held["statusReason"]["text"] == "the hall is closed"
    again = (await api.put(place, json=held | {"status": "in-progress"})).json()
    assert "statusReason" not in again
    held["statusReason"] = {"text": "she broke her foot"}
    ended = (await api.put(place, json=held | {"status": "failed"})).json()
    assert ended["statusReason"]["text"] == "she broke her foot"


async def test_after_a_decline_the_request_can_be_referred_on(api: httpx.AsyncClient) -> None:
    person, asked, task = await people.referral(api)
    await api.put(f"/Task/{task['id']}", json=task | {"status": "rejected"})
    focus, subject = f"ServiceRequest/{asked['id']}", f"Patient/{person['id']}"
    second = await api.post("/Task", json=people.task(focus, subject))
    assert second.status_code == 201, second.text
    found = (await api.get("/Task", params={"focus": focus})).json()
    assert found["total"] == 2


async def test_a_revoked_request_cancels_its_open_tasks(api: httpx.AsyncClient) -> None:
    _, asked, task = await people.referral(api)
    address = f"/ServiceRequest/{asked['id']}"
    now = (await api.get(address)).json()
    assert (await api.put(address, json=now | {"status": "revoked"})).json()["status"] == "revoked"
    assert (await api.get(f"/Task/{task['id']}")).json()["status"] == "cancelled"
    again = await api.put(address, json=now | {"status": "active"})
    assert (again.status_code, first(again)["expression"]) == (409, ["ServiceRequest.status"])


async def test_new_words_in_a_request_change_the_referral(
    api: httpx.AsyncClient, service: Service
) -> None:
    _, asked, _ = await people.referral(api)
    address = f"/ServiceRequest/{asked['id']}"
    now = (await api.get(address)).json()
    answer = await api.put(address, json=now | {"note": [{"text": "speaks French"}]})
    assert answer.json()["note"][0]["text"] == "speaks French"
    kept = await service.store.read(lambda tx: service.ledger.load(tx, asked["id"]))
    assert kept is not None
    assert kept.case.referral.notes[0].text == "speaks French"


async def test_json_patch_moves_a_task(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api)
    patch = [
        {"op": "test", "path": "/status", "value": "requested"},
        {"op": "replace", "path": "/status", "value": "accepted"},
        {"op": "add", "path": "/note", "value": [{"text": "welcome"}]},
    ]
    answer = await api.patch(f"/Task/{task['id']}", content=json.dumps(patch), headers=JSON_PATCH)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["status"], answer.json()["note"][0]["text"]) == ("accepted", "welcome")


async def test_fhirpath_patch_moves_a_task(api: httpx.AsyncClient) -> None:
    _, _, task = await people.referral(api)
    patch = {
        "resourceType": "Parameters",
        "parameter": [
            {
                "name": "operation",
                "part": [
                    {"name": "type", "valueCode": "replace"},
                    {"name": "path", "valueString": "Task.status"},
                    {"name": "value", "valueCode": "accepted"},
                ],
            },
            {
                "name": "operation",
                "part": [
                    {"name": "type", "valueCode": "add"},
                    {"name": "path", "valueString": "Task"},
                    {"name": "name", "valueString": "businessStatus"},
                    {"name": "value", "valueCodeableConcept": {"text": "booked"}},
                ],
            },
        ],
    }
    answer = await api.patch(f"/Task/{task['id']}", json=patch)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "accepted"
    assert answer.json()["businessStatus"] == {"text": "booked"}


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"op": "replace", "path": "/focus", "value": {}}, 422),
        ({"op": "replace", "path": "/id", "value": "x"}, 422),
        ({"op": "move", "path": "/status", "from": "/note"}, 422),
        ({"op": "replace", "path": "/note/7", "value": {"text": "x"}}, 422),
        ({"op": "replace", "path": "/status", "value": "in-progress"}, 409),
        ({"op": "replace", "path": "/status", "value": "banana"}, 422),
        ({"op": "test", "path": "/status", "value": "accepted"}, 422),
        ({"op": "replace", "path": "/status"}, 400),
        ({"path": "/status"}, 422),
        ("status", 400),
    ],
)
async def test_a_patch_that_cannot_be_done_says_why(
    api: httpx.AsyncClient, operation: Any, status: int
) -> None:
    _, _, task = await people.referral(api)
    answer = await api.patch(
        f"/Task/{task['id']}", content=json.dumps([operation]), headers=JSON_PATCH
    )
    assert answer.status_code == status, answer.text
    first(answer)


@pytest.mark.parametrize(
    ("method", "path", "content", "headers", "status"),
    [
        ("POST", "/Patient", b"{}", {"content-type": "text/plain"}, 415),
        ("POST", "/Patient", b"{}", {"accept": "text/turtle"}, 406),
        ("GET", "/Patient", b"", {"accept": "application/fhir+json; fhirVersion=3.0"}, 406),
        ("GET", "/Patient", b"", {"accept": "application/fhir+json;q=0"}, 406),
        ("POST", "/Patient", b"{}", {"content-type": "application/fhir+xml"}, 400),
        ("POST", "/Patient", b"{", {}, 400),
        ("POST", "/Patient", b"", {}, 400),
        ("POST", "/Patient", b"[]", {}, 400),
        ("POST", "/Patient", b'{"resourceType":"Task"}', {}, 400),
        ("POST", "/Patient", b'{"resourceType":"Patient","gender":"banana"}', {}, 422),
        ("POST", "/Patient", b'{"resourceType":"Patient","id":"a","id":"b"}', {}, 400),
        ("POST", "/Patient", b'{"resourceType":"Patient","x":' + b"9" * 40 + b"}", {}, 400),
        ("POST", "/Patient", b"[" * 5000, {}, 400),
        ("POST", "/Banana", b'{"resourceType":"Banana"}', {}, 404),
        ("PUT", "/Patient/x", b'{"resourceType":"Patient","id":"y"}', {}, 400),
        ("DELETE", "/Patient/x", b"", {}, 405),
        ("PATCH", "/Patient/x", b"[]", {"content-type": "application/json-patch+json"}, 405),
        ("PATCH", "/Task/x", b"[]", {"content-type": "application/json-patch+json"}, 404),
        ("GET", "/Patient/absent", b"", {}, 404),
        ("GET", "/Patient?banana=1", b"", {}, 400),
        ("POST", "/Patient/_search", b"\xff=1", {}, 415),
        ("POST", "/", b'{"resourceType":"Bundle","type":"message"}', {}, 422),
        ("POST", "/Patient/$banana", b"{}", {}, 404),
    ],
)
async def test_bad_input_is_refused_with_an_outcome(
    api: httpx.AsyncClient,
    method: str,
    path: str,
    content: bytes,
    headers: dict[str, str],
    status: int,
) -> None:
    sent = {"content-type": "application/fhir+json"} | headers
    answer = await api.request(method, path, content=content, headers=sent)
    assert answer.status_code == status, answer.text
    first(answer)


async def test_a_body_beyond_the_cap_is_not_read(api: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/fhir+json", "content-length": str(10**9)}
    answer = await api.post("/Patient", content=b"{}", headers=headers)
    assert answer.status_code == 413


async def test_a_link_to_nothing_is_refused_with_its_place(api: httpx.AsyncClient) -> None:
    answer = await api.post("/ServiceRequest", json=people.request("Patient/absent"))
    assert answer.status_code == 422
    assert first(answer)["expression"] == ["ServiceRequest.subject.reference"]


async def test_a_task_needs_its_request_here(api: httpx.AsyncClient) -> None:
    person = (await api.post("/Patient", json=people.patient())).json()
    absent = "ServiceRequest/00000000-0000-7000-8000-000000000000"
    task = people.task(absent, f"Patient/{person['id']}")
    answer = await api.post("/Task", json=task)
    assert (answer.status_code, first(answer)["expression"]) == (422, ["Task.focus.reference"])


async def test_prefer_chooses_what_comes_back(api: httpx.AsyncClient) -> None:
    minimal = await api.post(
        "/Patient", json=people.patient(), headers={"Prefer": "return=minimal"}
    )
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert minimal.headers["location"]
    outcome = await api.post(
        "/Patient", json=people.patient(), headers={"Prefer": "return=OperationOutcome"}
    )
    assert outcome.json()["resourceType"] == "OperationOutcome"


async def test_a_read_of_what_the_client_has_is_304(api: httpx.AsyncClient) -> None:
    made = (await api.post("/Patient", json=people.patient())).json()
    answer = await api.get(f"/Patient/{made['id']}", headers={"If-None-Match": 'W/"1"'})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_a_task_that_is_no_referral_moves_by_the_same_table(api: httpx.AsyncClient) -> None:
    task = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": {"text": "Call the client"},
    }
    made = (await api.post("/Task", json=task)).json()
    address = f"/Task/{made['id']}"
    assert (await api.put(address, json=made | {"status": "completed"})).status_code == 409
    assert (await api.put(address, json=made | {"status": "accepted"})).status_code == 200


async def test_every_written_resource_is_audited(api: httpx.AsyncClient, service: Service) -> None:
    made = (await api.post("/Patient", json=people.patient())).json()
    await api.put(f"/Patient/{made['id']}", json=made | {"gender": "female"})
    written = await service.store.read(
        lambda tx: [
            (each.event["action"], each.event["entity"][0]["what"]["reference"])
            for each in tx.audit.list()
            if each.event["entity"][0].get("what") == {"reference": f"Patient/{made['id']}"}
        ]
    )
    assert written == [("C", f"Patient/{made['id']}"), ("U", f"Patient/{made['id']}")]
