"""The FHIR API of a running service: a referral by FHIR alone, and one that came as HL7 v2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapter.fhir.bundles import post, transaction
from tests.integration.loop.harness import Loop, exchange, referral
from tests.unit.api import people

pytestmark = [pytest.mark.anyio, pytest.mark.network]
PERSON, ASKED = (f"urn:uuid:00000000-0000-4000-8000-00000000000{n}" for n in range(2))


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module."""
    return "asyncio"


@pytest.fixture(scope="module")
async def loop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Loop]:
    """The service with an EMR and an agency around it."""
    made = Loop(tmp_path_factory.mktemp("api"))
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def api(loop: Loop) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its FHIR API."""
    async with httpx.AsyncClient(base_url=loop.ready["fhir"], timeout=30) as client:
        yield client


async def moved(api: httpx.AsyncClient, task: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The Task after a PUT that knows its version."""
    match = {"If-Match": f'W/"{task["meta"]["versionId"]}"'}
    answer = await api.put(f"/Task/{task['id']}", json=task | more, headers=match)
    assert answer.status_code == 200, answer.text
    changed: dict[str, Any] = answer.json()
    return changed


async def test_a_referral_made_and_closed_by_fhir_alone_reaches_the_agency(
    loop: Loop, api: httpx.AsyncClient
) -> None:
    condition = {
        "resourceType": "Condition",
        "clinicalStatus": {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "code": "active",
                }
            ]
        },
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "Z60.2"}]},
        "subject": {"reference": PERSON},
    }
    need = "urn:uuid:00000000-0000-4000-8000-000000000009"
    entries = [
        post(people.patient("P-L1"), full_url=PERSON),
        post(condition, full_url=need),
        post(
            people.request(PERSON, "SR-L1", reasonReference=[{"reference": need}]),
            full_url=ASKED,
        ),
        post(people.task(ASKED, PERSON)),
    ]
    answer = await api.post("", json=transaction(entries))
    assert answer.status_code == 200, answer.text
    task = answer.json()["entry"][3]["resource"]
    await loop.mailbox.wait_for(lambda letter: letter["To"] == "intake@agency.example", after=0)
    task = await moved(api, task, status="accepted")
    task = await moved(api, task, status="completed", output=[people.summary()])
    asked = (await api.get(f"/{task['focus']['reference']}")).json()
    assert asked["status"] == "completed"


async def test_a_referral_that_came_as_hl7v2_is_answered_by_fhir_and_the_emr_hears(
    loop: Loop, api: httpx.AsyncClient
) -> None:
    before = len(loop.emr.received)
    await exchange(loop.mllp, referral("R-API-1"))
    async with asyncio.timeout(30):
        while True:
            found = (await api.get("/Task", params={"identifier": "R-API-1"})).json()
            if found.get("entry"):
                break
            await asyncio.sleep(0.05)
    task = found["entry"][0]["resource"]
    task = await moved(api, task, status="accepted")
    await moved(api, task, status="completed", output=[people.summary()])
    received = await loop.emr.wait_for(before + 2)
    assert any("R-API-1" in each for each in received[before:])
    patient = (await api.get(f"/{task['for']['reference']}")).json()
    refused = await api.put(f"/Patient/{patient['id']}", json=patient | {"gender": "unknown"})
    assert refused.status_code == 409


async def test_64_parallel_identical_creates_make_exactly_one_on_the_wire(
    api: httpx.AsyncClient,
) -> None:
    headers = {"If-None-Exist": "identifier=urn:oid:2.999.1|P-RACE"}
    answers = await asyncio.gather(
        *(api.post("/Patient", json=people.patient("P-RACE"), headers=headers) for _ in range(64))
    )
    assert sorted(each.status_code for each in answers) == [200] * 63 + [201]
