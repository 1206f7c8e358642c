"""The 288 cells over HTTP: every status to every status, by each of the two actors.

Two organizations with tokens of their own: one sent the referral, the other is asked to fulfil it.
A status that the guide does not use (received, ready) is what its table takes it for.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter.exchange.service import Service
from adapter.referral.lifecycle import ACTORS, STATUSES, Actor, lifecycle
from tests.unit.api import backend, people, records
from tests.unit.api.test_lifecycle import ROADS

pytestmark = pytest.mark.anyio
TABLE = lifecycle()
Headers = dict[str, dict[str, str]]
PARTY = {"requester": "Clinic Matrix", "performer": "Club Matrix"}


@pytest.fixture
async def who(wire: httpx.AsyncClient, guarded: Service) -> Headers:
    """The headers of each actor."""
    found = {}
    for actor, party in PARTY.items():
        known = {
            each.name: each.id for each in guarded.store.read_now(lambda tx: tx.clients.list())
        }
        client = known.get(actor) or backend.registered(guarded, actor, party)
        found[actor] = {"Authorization": f"Bearer {await backend.token(wire, guarded, client)}"}
    return found


async def asked(wire: httpx.AsyncClient, who: Headers, status: str) -> dict[str, Any]:
    """A new Task of the requester for the performer."""
    mine = who["requester"]
    person = (await wire.post("/Patient", json=people.patient(), headers=mine)).json()
    subject = f"Patient/{person['id']}"
    body = records.request(subject, "L")
    focus = (await wire.post("/ServiceRequest", json=body, headers=mine)).json()
    task = records.task(f"ServiceRequest/{focus['id']}", subject, "L", PARTY["performer"])
    answer = await wire.post("/Task", json=task | {"status": status}, headers=mine)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def put(
    wire: httpx.AsyncClient, headers: dict[str, str], task: dict[str, Any], status: str
) -> httpx.Response:
    more: dict[str, Any] = {"status": status, "statusReason": {"text": "for the test"}}
    if status == "completed" and not task.get("output"):
        more["output"] = [people.summary()]
    return await wire.put(f"/Task/{task['id']}", json=task | more, headers=headers)


def mover(before: str, after: str) -> Actor:
    """Who may make a move of a road."""
    return next(each for each in ACTORS if TABLE.allows(before, after, each))


async def brought(wire: httpx.AsyncClient, who: Headers, before: str) -> dict[str, Any]:
    """A Task in a status."""
    born = "draft" if before == "draft" else "received" if before == "received" else "requested"
    task = await asked(wire, who, born)
    for step in ROADS.get(before, ()):
        answer = await put(wire, who[mover(task["status"], step)], task, step)
        assert answer.status_code == 200, answer.text
        task = answer.json()
    return task


CELLS = [(before, after, by) for before in STATUSES for after in STATUSES for by in ACTORS]


def test_the_matrix_has_288_cells() -> None:
    assert len(CELLS) == len(set(CELLS)) == 288


@pytest.mark.parametrize("before", STATUSES)
async def test_each_actor_makes_its_own_moves_and_no_other(
    wire: httpx.AsyncClient, who: Headers, before: str
) -> None:
    stands = TABLE.normal(before)
    asked = 0
    for actor in ACTORS:
        task = await brought(wire, who, before)
        for after in STATUSES:
            asked += 1
            wanted = TABLE.normal(after)
            answer = await put(wire, who[actor], task, after)
            if stands == "draft" and actor == "performer":
                assert answer.status_code == 404, (before, after, actor)
            elif wanted == stands:
                assert answer.status_code == 200, (before, after, actor, answer.text)
                task = answer.json()
            elif TABLE.allows(stands, wanted, actor):
                assert answer.status_code == 200, (before, after, actor, answer.text)
                assert answer.json()["status"] == wanted
                task = await brought(wire, who, before)
            else:
                assert answer.status_code == 409, (before, after, actor, answer.text)
                issue = answer.json()["issue"][0]
                assert issue["expression"] == ["Task.status"]
                assert all(each in issue["diagnostics"] for each in TABLE.choices(stands, actor))
    print(f"lifecycle over HTTP: {asked} of {len(CELLS)} cells, from {before}")
    assert asked == len([each for each in CELLS if each[0] == before])


async def test_a_stale_version_is_412_and_changes_nothing(
    wire: httpx.AsyncClient, who: Headers
) -> None:
    task = await asked(wire, who, "requested")
    assert (await put(wire, who["performer"], task, "accepted")).status_code == 200
    stale = {**who["performer"], "If-Match": 'W/"1"'}
    body = task | {"status": "in-progress"}
    answer = await wire.put(f"/Task/{task['id']}", json=body, headers=stale)
    assert answer.status_code == 412
    now = (await wire.get(f"/Task/{task['id']}", headers=who["requester"])).json()
    assert now["status"] == "accepted"


async def test_whoever_has_no_part_in_a_task_cannot_tell_that_it_is_there(
    wire: httpx.AsyncClient, guarded: Service, who: Headers
) -> None:
    task = await asked(wire, who, "requested")
    other = backend.registered(guarded, "third", "Third party")
    headers = {"Authorization": f"Bearer {await backend.token(wire, guarded, other)}"}
    assert (await put(wire, headers, task, "accepted")).status_code == 404


async def test_what_a_performer_links_to_a_task_is_seen_by_its_requester(
    wire: httpx.AsyncClient, who: Headers
) -> None:
    task = await asked(wire, who, "requested")
    task = (await put(wire, who["performer"], task, "accepted")).json()
    body = records.record("Procedure", task["for"]["reference"], "walked twice")
    done = await wire.post("/Procedure", json=body, headers=who["performer"])
    assert done.status_code == 201, done.text
    place = f"Procedure/{done.json()['id']}"
    assert (await wire.get(f"/{place}", headers=who["requester"])).status_code == 404
    output = {
        "type": {"coding": [{"system": people.GRAVITY, "code": "resulting-activity"}]},
        "valueReference": {"reference": place},
    }
    closed = await wire.put(
        f"/Task/{task['id']}",
        json=task | {"status": "completed", "output": [output]},
        headers=who["performer"],
    )
    assert closed.status_code == 200, closed.text
    seen = await wire.get(f"/{place}", headers=who["requester"])
    assert seen.status_code == 200
    refused = await wire.put(f"/{place}", json=seen.json(), headers=who["requester"])
    assert refused.status_code == 403


async def test_of_several_that_may_claim_a_task_the_first_has_it(
    wire: httpx.AsyncClient, guarded: Service, who: Headers
) -> None:
    clubs = {}
    for name in ("Claim One", "Claim Two"):
        client = backend.registered(guarded, name, name)
        clubs[name] = {"Authorization": f"Bearer {await backend.token(wire, guarded, client)}"}
    mine = who["requester"]
    person = (await wire.post("/Patient", json=people.patient(), headers=mine)).json()
    subject = f"Patient/{person['id']}"
    body = records.request(subject, "C")
    focus = (await wire.post("/ServiceRequest", json=body, headers=mine)).json()
    recipients = [{"identifier": {"value": name}} for name in clubs]
    task = people.task(
        f"ServiceRequest/{focus['id']}", subject, restriction={"recipient": recipients}
    )
    made = (await wire.post("/Task", json=task, headers=mine)).json()
    open_to = await wire.get(
        "/Task", params={"owner:missing": "true", "status": "requested"}, headers=clubs["Claim One"]
    )
    assert made["id"] in [each["resource"]["id"] for each in open_to.json()["entry"]]
    unclaimed = await put(wire, clubs["Claim One"], made, "accepted")
    assert unclaimed.status_code == 409
    statuses = []
    for name, headers in clubs.items():
        claim = made | {"status": "accepted", "owner": {"identifier": {"value": name}}}
        statuses.append(
            (await wire.put(f"/Task/{made['id']}", json=claim, headers=headers)).status_code
        )
    assert statuses == [200, 409]
    now = (await wire.get(f"/Task/{made['id']}", headers=mine)).json()
    assert now["owner"]["identifier"]["value"] == "Claim One", now
