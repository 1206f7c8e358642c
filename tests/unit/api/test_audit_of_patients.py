"""Each audit event of the FHIR API names the patient that it is about, where it is about one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter.exchange.service import Service
from tests.unit.api import people
from tests.unit.exchange.balp import problems

pytestmark = pytest.mark.anyio
Json = dict[str, Any]


def audited(service: Service, after: int) -> list[Json]:
    """The events after the first so many."""
    return [each.event for each in service.store.read_now(lambda tx: tx.audit.list())][after:]


def patients(event: Json) -> list[str]:
    return [
        each["what"]["reference"]
        for each in event["entity"]
        if each.get("role", {}).get("code") == "1"
    ]


async def test_reads_writes_and_searches_of_one_person_name_the_patient(
    api: httpx.AsyncClient, service: Service
) -> None:
    person, asked, task = await people.referral(api, "who-1")
    await people.referral(api, "who-2")
    patient = f"Patient/{person['id']}"
    places = [
        f"/{patient}",
        f"/Task/{task['id']}",
        f"/Task/{task['id']}/_history",
        f"/Task/{task['id']}/_history/1",
        f"/ServiceRequest/{asked['id']}",
        f"/Task?patient={patient}",
        f"/Task?_id={task['id']}&_include=Task:focus&_include=Task:patient",
        f"/Patient?_id={person['id']}&_revinclude=Task:patient",
    ]
    before = len(audited(service, 0))
    for place in places:
        assert (await api.get(place)).status_code == 200, place
    await api.put(f"/Task/{task['id']}", json=task | {"status": "accepted"})
    await api.post("/Patient", json=people.patient("P-who-3"))
    events = audited(service, before)
    assert [problems(each) for each in events] == [[]] * len(events)
    assert len(events) == len(places) + 2
    assert [patients(each) for each in events[:-1]] == [[patient]] * (len(places) + 1)
    assert len(patients(events[-1])) == 1


async def test_a_search_of_several_people_or_of_none_names_no_patient(
    api: httpx.AsyncClient, service: Service
) -> None:
    await people.referral(api, "who-4")
    await people.referral(api, "who-5")
    before = len(audited(service, 0))
    await api.get("/Task")
    await api.get("/Task", params={"identifier": "nobody"})
    await api.get("/Task", params={"_summary": "count"})
    assert [patients(each) for each in audited(service, before)] == [[], [], []]
