"""$process-message: a request, its answer, a repetition."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.api import people

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
PATIENT, ASKED, TASK = (f"urn:uuid:00000000-0000-4000-8000-0000000000a{n}" for n in range(3))


def message(number: str, header: str, **of_task: Any) -> Json:
    """A message as a clinic's system sends it."""
    task = people.task(ASKED, PATIENT, identifier=[{"system": "urn:x", "value": f"T-{number}"}])
    resources = [
        (PATIENT, people.patient(f"P-{number}")),
        (ASKED, people.request(PATIENT, f"SR-{number}")),
        (TASK, task | of_task),
    ]
    head = {
        "resourceType": "MessageHeader",
        "id": header,
        "eventCoding": {"system": "urn:x", "code": "notify"},
        "source": {"endpoint": "https://clinic.example/fhir"},
        "focus": [{"reference": TASK}],
    }
    entries = [{"fullUrl": f"urn:uuid:{header}", "resource": head}]
    entries += [{"fullUrl": url, "resource": each} for url, each in resources]
    return {
        "resourceType": "Bundle",
        "type": "message",
        "identifier": {"value": header},
        "timestamp": "2026-01-05T10:00:00Z",
        "entry": entries,
    }


def task_of(answer: Json) -> Json:
    found: Json = next(
        each["resource"] for each in answer["entry"] if each["resource"]["resourceType"] == "Task"
    )
    return found


HEAD = "00000000-0000-4000-8000-0000000001{:02d}"


async def test_a_message_makes_a_referral_and_its_answer_changes_it(
    api: httpx.AsyncClient,
) -> None:
    first = await api.post("/$process-message", json=message("M1", HEAD.format(1)))
    assert first.status_code == 200, first.text
    answer = first.json()
    assert answer["type"] == "message"
    header = answer["entry"][0]["resource"]
    assert header["response"] == {"identifier": HEAD.format(1), "code": "ok"}
    task = task_of(answer)
    assert task["status"] == "requested"
    stored = await api.get(f"/Task/{task['id']}")
    assert stored.json()["focus"]["reference"].startswith("ServiceRequest/")
    told = message("M1", HEAD.format(2), status="accepted")
    second = await api.post("/$process-message", json=told)
    assert second.status_code == 200, second.text
    now = task_of(second.json())
    assert (now["id"], now["status"]) == (task["id"], "accepted")
    done = message("M1", HEAD.format(3), status="completed", output=[people.summary()])
    assert task_of((await api.post("/$process-message", json=done)).json())["status"] == "completed"
    back = await api.post("/$process-message", json=message("M1", HEAD.format(4)))
    assert back.status_code == 409
    assert back.json()["issue"][0]["expression"]


async def test_the_same_message_again_gets_the_same_answer_and_does_nothing(
    api: httpx.AsyncClient,
) -> None:
    sent = message("M2", HEAD.format(10))
    first = await api.post("/$process-message", json=sent)
    again = await api.post("/$process-message", json=sent)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    found = await api.get("/Task", params={"identifier": "urn:x|T-M2"})
    assert found.json()["total"] == 1
    other = message("M3", HEAD.format(10))
    assert (await api.post("/$process-message", json=other)).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"resourceType": "Bundle", "type": "transaction"},
        {"resourceType": "Patient"},
        {"resourceType": "Parameters"},
        {"resourceType": "Bundle", "type": "message", "timestamp": "2026-01-05T10:00:00Z",
         "identifier": {"value": "1"}, "entry": [{"resource": people.patient()}]},
    ],
)  # fmt: skip
async def test_what_is_no_message_is_refused_with_a_place(
    api: httpx.AsyncClient, wrong: Json
) -> None:
    answer = await api.post("/$process-message", json=wrong)
    assert 400 <= answer.status_code < 500
    assert answer.json()["issue"][0]["expression"]
