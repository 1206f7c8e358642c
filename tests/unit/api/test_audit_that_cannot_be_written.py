"""Where the audit cannot be written, nothing is shown and nothing is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from adapter.exchange.service import Service
from adapter.plugin.errors import TransientError
from tests.unit.api import people, records

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
MARK = "Synthetic"
"""The family name of the person: where it is not, nobody was shown."""
BROKEN = (
    "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no room left'); END"
)


@contextmanager
def broken_audit(service: Service) -> Iterator[None]:
    """The real database refuses every row of the audit, and of nothing else."""
    with sqlite3.connect(service.config.folder / "adapter.sqlite3") as connection:
        connection.execute(BROKEN)
    try:
        yield
    finally:
        with sqlite3.connect(service.config.folder / "adapter.sqlite3") as connection:
            connection.execute("DROP TRIGGER broken")


def roads(person: Json, asked: Json, task: Json, page: str) -> list[tuple[str, str, Json]]:
    """Every way to look: method, address, and what httpx is given with it."""
    patient = f"Patient/{person['id']}"
    batch = {"request": {"method": "GET", "url": patient}}
    entry = {"resourceType": "Bundle", "type": "batch", "entry": [batch]}
    subject = {"name": "subject", "valueReference": {"reference": patient}}
    form = {
        "resourceType": "Questionnaire",
        "status": "active",
        "item": [{"linkId": "1", "type": "string"}],
    }
    populate = [{"name": "questionnaire", "resource": form}, subject]
    return [
        ("GET", f"/{patient}", {}),
        ("GET", f"/{patient}/_history/1", {}),
        ("GET", f"/{patient}/_history", {}),
        ("GET", "/Patient/_history", {}),
        ("GET", "/Patient", {"params": {"identifier": "urn:oid:2.999.1|P-audit-1"}}),
        ("GET", "/Patient", {"params": {"_summary": "count"}}),
        ("POST", "/Patient/_search", {"data": {"_id": person["id"]}}),
        ("GET", "/Task", {"params": {"_id": task["id"], "_include": "Task:patient"}}),
        ("GET", "/Patient", {"params": {"_id": person["id"], "_revinclude": "Task:patient"}}),
        ("GET", f"/ServiceRequest/{asked['id']}", {}),
        ("GET", f"/Task/{task['id']}", {}),
        ("GET", page, {}),
        ("POST", "/", {"json": entry}),
        ("POST", f"/{patient}/$validate", {}),
        (
            "POST",
            "/Questionnaire/$populate",
            {"json": {"resourceType": "Parameters", "parameter": populate}},
        ),
    ]


async def next_page(api: httpx.AsyncClient) -> str:
    found = (await api.get("/Patient", params={"_count": 1})).json()
    link: str = next(each["url"] for each in found["link"] if each["relation"] == "next")
    return link


async def test_no_road_of_the_api_shows_anything(api: httpx.AsyncClient, service: Service) -> None:
    await people.referral(api, "audit-0")
    made = await people.referral(api, "audit-1")
    every = roads(*made, await next_page(api))
    for method, place, given in every:
        answer = await api.request(method, place, **given)
        assert answer.status_code == 200, (place, given, answer.text)
    with broken_audit(service):
        for method, place, given in every:
            answer = await api.request(method, place, **given)
            if method == "POST" and place == "/":
                assert '"503' in answer.text or answer.status_code == 503
            else:
                assert answer.status_code == 503, (place, answer.status_code, answer.text)
            assert MARK not in answer.text, place
            assert '"total"' not in answer.text, place
            assert "OperationOutcome" in answer.text, place
    for method, place, given in every:  # and it goes on by itself, once the audit can be written
        assert (await api.request(method, place, **given)).status_code == 200, place


async def test_what_cannot_be_audited_is_not_written(
    api: httpx.AsyncClient, service: Service
) -> None:
    _, _, task = await people.referral(api, "audit-2")
    with broken_audit(service):
        answer = await api.put(f"/Task/{task['id']}", json=task | {"status": "accepted"})
        assert answer.status_code == 503
        answer = await api.post("/Patient", json=people.patient("P-audit-3"))
        assert answer.status_code == 503
    assert (await api.get(f"/Task/{task['id']}")).json()["status"] == "requested"
    found = (await api.get("/Patient", params={"identifier": "P-audit-3"})).json()
    assert found["total"] == 0


async def test_the_agencys_page_is_not_shown(api: httpx.AsyncClient, service: Service) -> None:
    person = (await api.post("/Patient", json=people.patient("P-audit-4"))).json()
    subject = f"Patient/{person['id']}"
    need = records.record("Condition", subject, "lonely")
    need["code"] = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "Z60.2"}]}
    why = {"reference": f"Condition/{(await api.post('/Condition', json=need)).json()['id']}"}
    body = people.request(subject, "SR-audit-4", reasonReference=[why])
    focus = f"ServiceRequest/{(await api.post('/ServiceRequest', json=body)).json()['id']}"
    task = (await api.post("/Task", json=people.task(focus, subject))).json()
    shown = await service.desk.view(task["id"], site="agency", actor="link:1")
    assert shown is not None
    with broken_audit(service), pytest.raises(TransientError):
        await service.desk.view(task["id"], site="agency", actor="link:1")
