"""The fake FHIR server answers as FHIR R4 says, and as the maker whose ways it has."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter_conformance.fakes.fhir_asking import Answer, Asking
from adapter_conformance.fakes.fhir_notices import FILTER, Notices
from adapter_conformance.fakes.fhir_personality import personality
from adapter_conformance.fakes.fhir_server import FhirServer

Json = dict[str, Any]
PATIENT: Json = {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "1"}]}
TASK: Json = {"resourceType": "Task", "status": "requested", "intent": "order"}
MAKERS = ("hapi", "medplum", "epic", "oracle", "athena", "openmrs")


def asked(server: FhirServer, method: str, path: str, body: Any = None, **headers: str) -> Answer:
    """One request, with its query."""
    from urllib.parse import parse_qsl

    where, _, query = path.partition("?")
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return server.handle(
        Asking(
            method=method,
            path=where,
            query=parse_qsl(query, keep_blank_values=True),
            headers=names,
            body=body,
        )
    )


def body(answer: Answer) -> Json:
    assert answer.body is not None
    return answer.body


def new_task(server: FhirServer, **more: Any) -> Json:
    made = asked(server, "POST", "Task", TASK | more)
    assert made.status == 201, made.body
    return body(made)


def ids(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [each["resource"]["id"] for each in body(answer).get("entry", [])]


def test_what_is_created_can_be_read_by_version_and_in_its_history() -> None:
    server = FhirServer()
    made = new_task(server)
    answer = asked(server, "PUT", f"Task/{made['id']}", made | {"status": "accepted"})
    assert (answer.status, answer.headers["ETag"]) == (200, 'W/"2"')
    first = body(asked(server, "GET", f"Task/{made['id']}/_history/1"))
    assert (first["status"], first["meta"]["versionId"]) == ("requested", "1")
    history = body(asked(server, "GET", f"Task/{made['id']}/_history"))
    assert [each["resource"]["status"] for each in history["entry"]] == ["accepted", "requested"]


@pytest.mark.parametrize(
    ("ways", "status"), [("strict", 412), ("hapi", 409), ("oracle", 409), ("openmrs", 200)]
)
def test_a_stale_version_is_answered_as_the_maker_does(ways: str, status: int) -> None:
    server = FhirServer(ways)
    kind = "Task" if ways != "oracle" else "DocumentReference"
    made = server.put({"resourceType": kind, "status": "requested"})
    server.put(made)
    answer = asked(server, "PUT", f"{kind}/{made['id']}", made, if_match='W/"1"')
    assert answer.status == status


def test_if_none_exist_gives_what_is_there() -> None:
    server = FhirServer()
    first = asked(server, "POST", "Patient", PATIENT, if_none_exist="identifier=urn:x|1")
    again = asked(server, "POST", "Patient", PATIENT, if_none_exist="identifier=urn:x|1")
    assert (first.status, again.status) == (201, 200)
    assert body(first)["id"] == body(again)["id"]
    asked(server, "POST", "Patient", PATIENT)
    several = asked(server, "POST", "Patient", PATIENT, if_none_exist="identifier=urn:x|1")
    assert several.status == 412


def test_searches_find_by_token_reference_date_and_what_is_missing() -> None:
    server = FhirServer()
    person = body(asked(server, "POST", "Patient", PATIENT))["id"]
    owned = new_task(server, owner={"reference": f"Patient/{person}"}, authoredOn="2026-01-15")
    free = new_task(server, status="draft")
    for query, found in (
        ("status=requested", [owned["id"]]),
        ("status:not=draft", [owned["id"]]),
        (f"owner=Patient/{person}", [owned["id"]]),
        (f"owner={server.base}/Patient/{person}", [owned["id"]]),
        ("owner:missing=true", [free["id"]]),
        ("authored-on=ge2026-01-15&authored-on=lt2026-01-16", [owned["id"]]),
        ("authored-on=gt2026-01-15", []),
        ("_sort=-_id", [free["id"], owned["id"]]),
    ):
        assert ids(asked(server, "GET", f"Task?{query}")) == found, query
    gone = owned["meta"]["lastUpdated"].replace("+", "%2B")
    assert owned["id"] not in ids(asked(server, "GET", f"Task?_lastUpdated=gt{gone}"))
    included = ids(asked(server, "GET", "Task?status=requested&_include=Task:owner"))
    assert included == [owned["id"], person]


def test_pages_lead_through_everything_once() -> None:
    server = FhirServer()
    made = [new_task(server)["id"] for _ in range(5)]
    found, page = [], body(asked(server, "GET", "Task?_count=2"))
    while True:
        found += [each["resource"]["id"] for each in page["entry"]]
        links = {each["relation"]: each["url"] for each in page["link"]}
        if "next" not in links:
            break
        page = body(asked(server, "GET", links["next"].removeprefix(server.base)))
    assert (found, page["total"]) == (made, 5)


def test_a_transaction_links_its_entries_and_a_failed_one_leaves_nothing() -> None:
    server = FhirServer()
    person = {
        "fullUrl": "urn:uuid:1",
        "resource": PATIENT,
        "request": {"method": "POST", "url": "Patient"},
    }
    task = {
        "resource": TASK | {"for": {"reference": "urn:uuid:1"}},
        "request": {"method": "POST", "url": "Task"},
    }
    both = {"resourceType": "Bundle", "type": "transaction", "entry": [task, person]}
    done = body(asked(server, "POST", "", both))
    linked, client = (each["resource"] for each in done["entry"])
    assert linked["for"]["reference"] == f"Patient/{client['id']}"
    wrong = task | {"resource": TASK | {"status": "completed"}}
    failed = asked(server, "POST", "", both | {"entry": [person, wrong]})
    assert failed.status == 409
    assert len(list(server.store.all("Patient"))) == 1


def test_a_batch_answers_each_entry_by_itself() -> None:
    server = FhirServer()
    made = new_task(server)
    entries = [
        {"request": {"method": "GET", "url": f"Task/{made['id']}"}},
        {"request": {"method": "GET", "url": "Task/none"}},
    ]
    batch = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answers = body(asked(server, "POST", "", batch))["entry"]
    assert [each["response"]["status"] for each in answers] == ["200", "404"]


def test_the_strict_server_holds_to_the_lifecycle_and_hapi_does_not() -> None:
    for ways, status in (("strict", 409), ("hapi", 200)):
        server = FhirServer(ways)
        made = new_task(server)
        answer = asked(server, "PUT", f"Task/{made['id']}", made | {"status": "in-progress"})
        assert answer.status == status


def test_openmrs_loses_what_it_has_no_place_for() -> None:
    server = FhirServer("openmrs")
    made = new_task(server, identifier=[{"value": "1"}], businessStatus={"text": "x"})
    assert not {"identifier", "businessStatus"} & set(made)


@pytest.mark.parametrize("ways", ["epic", "oracle", "athena"])
def test_nobody_creates_a_task_at_these_makers(ways: str) -> None:
    assert asked(FhirServer(ways), "POST", "Task", TASK).status in (404, 405)


def test_a_json_patch_changes_what_it_names() -> None:
    server = FhirServer()
    made = new_task(server)
    change = [{"op": "replace", "path": "/status", "value": "accepted"}]
    assert body(asked(server, "PATCH", f"Task/{made['id']}", change))["status"] == "accepted"
    wrong = [{"op": "remove", "path": "/note/0"}]
    assert asked(server, "PATCH", f"Task/{made['id']}", wrong).status == 422


@pytest.mark.parametrize("ways", [*MAKERS, "strict"])
def test_metadata_claims_what_is_done(ways: str) -> None:
    server = FhirServer(ways)
    told = body(asked(server, "GET", "metadata"))["rest"][0]["resource"]
    claims = {each["type"]: {one["code"] for one in each["interaction"]} for each in told}
    assert claims == {kind: set(server.ways.interactions(kind)) for kind in server.ways.served}
    for kind, offered in claims.items():
        status = "active" if kind == "ServiceRequest" else "requested"
        answer = asked(server, "POST", kind, {"resourceType": kind, "status": status})
        assert (answer.status == 201) is ("create" in offered), kind


def test_an_unknown_personality_is_told_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="hapi"):
        personality("nobody")


def test_a_subscriber_of_the_backport_hears_with_numbers_and_can_miss_one() -> None:
    server = FhirServer("strict")
    notices = Notices(server)
    subscription = {
        "resourceType": "Subscription",
        "status": "requested",
        "criteria": "urn:topic",
        "_criteria": {"extension": [{"url": FILTER, "valueString": "Task?status=requested"}]},
        "channel": {"type": "rest-hook", "endpoint": "http://127.0.0.1/hook", "header": ["X: 1"]},
    }
    made = body(asked(server, "POST", "Subscription", subscription))
    assert body(asked(server, "GET", f"Subscription/{made['id']}"))["status"] == "active"
    new_task(server)
    new_task(server, status="draft")
    notices.lose(2)
    new_task(server)
    notices.heartbeat()
    kinds = [_told(each.body) for each in notices.pending]
    assert kinds == [("event-notification", "2"), ("heartbeat", "2")]
    assert notices.pending[0].headers["X"] == "1"


def _told(raw: bytes) -> tuple[str, str]:
    import orjson

    said = orjson.loads(raw)["entry"][0]["resource"]["parameter"]
    named = {each["name"]: each for each in said}
    return named["type"]["valueCode"], named["events-since-subscription-start"]["valueString"]


@pytest.mark.anyio
async def test_over_http_faults_come_one_each_and_a_lost_answer_is_done() -> None:
    server = FhirServer("hapi")
    road = httpx.ASGITransport(server.app)
    async with httpx.AsyncClient(transport=road, base_url=server.base) as client:
        server.fail_next("rate-limited", "lost-answer")
        assert (await client.get("/Task")).status_code == 429
        assert (await client.post("/Task", json=TASK)).status_code == 504
        assert (await client.get("/Task")).json()["total"] == 1
        assert (await client.post("/Task", content=b"{")).status_code == 400
    assert [each.method for each in server.requests] == ["GET", "POST", "GET", "POST"]
    with pytest.raises(ValueError, match="rate-limited"):
        server.fail_next("no such fault")
