"""What the consent shares back limits what the requester sees of the answer, by every road."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from adapter.exchange.service import Service
from adapter.exchange.subscription_terms import BACKPORT, TOPICS
from tests.unit.api import backend, people, records

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
EXT = "https://social-prescribing-adapter.example/fhir/StructureDefinition"
SUMMARY, SECRET = "SUMMARYWORDS", "SECRETWORDS"
LEVELS = {"codes": (False, False), "summary": (True, False), "full": (True, True), None: (1, 1)}
"""By level: whether the summary is seen, and whether the rest is."""
CLINIC, CLUB = "Share clinic", "Share club"


class Hook:
    """Takes the place of the subscriber's server."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    async def post(self, url: str, **call: Any) -> None:
        self.taken.append(call["content"].decode())


@dataclass
class Loop:
    """A referral that was answered, and the headers of its two parties."""

    http: httpx.AsyncClient
    clinic: dict[str, str]
    club: dict[str, str]
    task: str
    focus: str
    linked: dict[str, str]
    hook: Hook

    async def seen(self, place: str, **params: Any) -> httpx.Response:
        return await self.http.get(place, params=params, headers=self.clinic)


async def headers(wire: httpx.AsyncClient, service: Service, name: str) -> dict[str, str]:
    known = {each.name: each.id for each in service.store.read_now(lambda tx: tx.clients.list())}
    client = known.get(name) or backend.registered(service, name, name)
    return {"Authorization": f"Bearer {await backend.token(wire, service, client)}"}


def output(code: str, **value: Any) -> Json:
    return {"type": {"coding": [{"system": people.GRAVITY, "code": code}]}, **value}


async def answered(
    wire: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch, level: str | None
) -> Loop:
    clinic, club = await headers(wire, service, CLINIC), await headers(wire, service, CLUB)
    hook = Hook()
    monkeypatch.setattr(service.notifier, "_http", hook)

    async def post(who: dict[str, str], body: Json) -> Json:
        answer = await wire.post(f"/{body['resourceType']}", json=body, headers=who)
        assert answer.status_code == 201, answer.text
        stored: Json = answer.json()
        return stored

    await post(clinic, listening())
    await service.notifier.serve_due()
    subject = f"Patient/{(await post(clinic, people.patient()))['id']}"
    consent = records.record("Consent", subject, "consent")
    if level is not None:
        consent["extension"] = [{"url": f"{EXT}/share-back", "valueCode": level}]
    agreed = {"reference": f"Consent/{(await post(clinic, consent))['id']}"}
    body = records.request(subject, "share") | {"supportingInfo": [agreed]}
    focus = f"ServiceRequest/{(await post(clinic, body))['id']}"
    task = await post(clinic, records.task(focus, subject, "share", CLUB))
    place = f"/Task/{task['id']}"
    done = records.record("Procedure", subject, "walked") | {"note": [{"text": SECRET}]}
    made = {"Procedure": (await post(club, done))["id"]}
    filled = records.record("QuestionnaireResponse", subject, "")
    filled |= {"item": [{"linkId": "1", "answer": [{"valueString": SECRET}]}]}
    made["QuestionnaireResponse"] = (await post(club, filled))["id"]
    made["Observation"] = (await post(club, records.record("Observation", subject, SECRET)))["id"]
    linked = {kind: f"{kind}/{own}" for kind, own in made.items()}
    outputs = [
        output("resulting-activity", valueReference={"reference": linked["Procedure"]}),
        output("additional-content", valueReference={"reference": linked["QuestionnaireResponse"]}),
        output("additional-content", valueReference={"reference": linked["Observation"]}),
        output("additional-content", valueString=SECRET),
        people.summary(SUMMARY),
    ]
    words = {
        "note": [{"text": SECRET}],
        "extension": [{"url": "http://x.example/y", "valueString": SECRET}],
    }
    for status, more in (("accepted", words), ("completed", {"output": outputs})):
        held = (await wire.get(place, headers=club)).json()
        answer = await wire.put(place, json=held | {"status": status} | more, headers=club)
        assert answer.status_code == 200, answer.text
    hook.taken.clear()
    while await service.notifier.serve_due():
        pass
    return Loop(wire, clinic, club, place, focus, linked, hook)


def listening() -> Json:
    content = {"url": f"{BACKPORT}/backport-payload-content", "valueCode": "full-resource"}
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "news",
        "criteria": next(iter(TOPICS)),
        "channel": {
            "type": "rest-hook",
            "endpoint": "https://hooks.example.org/news",
            "payload": "application/fhir+json",
            "_payload": {"extension": [content]},
        },
    }


@pytest.mark.parametrize("level", LEVELS)
async def test_every_road_shows_what_is_shared_back_and_no_more(
    wire: httpx.AsyncClient,
    guarded: Service,
    monkeypatch: pytest.MonkeyPatch,
    level: str | None,
) -> None:
    loop = await answered(wire, guarded, monkeypatch, level)
    summary, rest = LEVELS[level]
    own = loop.task.rpartition("/")[2]
    roads = {
        "read": await loop.seen(loop.task),
        "search": await loop.seen("/Task", _id=own),
        "include": await loop.seen("/Task", _id=own, _include="Task:focus"),
        "revinclude": await loop.seen(
            "/ServiceRequest", _id=loop.focus.rpartition("/")[2], _revinclude="Task:focus"
        ),
        "history": await loop.seen(f"{loop.task}/_history"),
        "type history": await loop.seen("/Task/_history", _count=3),
    }
    for name, answer in roads.items():
        assert answer.status_code == 200, (name, answer.text)
        assert own in answer.text, name
        assert (SUMMARY in answer.text) == bool(summary), name
        assert (SECRET in answer.text) == bool(rest), name
    assert roads["read"].json()["status"] == "completed"
    told = [each for each in loop.hook.taken if own in each]
    assert told
    assert any(SUMMARY in each for each in told) == bool(summary)
    assert any(SECRET in each for each in told) == bool(rest)


@pytest.mark.parametrize("level", LEVELS)
async def test_what_a_performer_links_is_seen_where_everything_is_shared_back(
    wire: httpx.AsyncClient,
    guarded: Service,
    monkeypatch: pytest.MonkeyPatch,
    level: str | None,
) -> None:
    loop = await answered(wire, guarded, monkeypatch, level)
    wanted = 200 if LEVELS[level][1] else 404
    for kind, address in loop.linked.items():
        own = address.rpartition("/")[2]
        assert (await loop.seen(f"/{address}")).status_code == wanted, kind
        history = (await loop.seen(f"/{address}/_history")).status_code
        assert history == wanted, kind
        found = (await loop.seen(f"/{kind}", _id=own, _summary="count")).json()
        assert found["total"] == (1 if wanted == 200 else 0), kind
        theirs = await wire.get(f"/{address}", headers=loop.club)
        assert theirs.status_code == 200, kind


@pytest.mark.parametrize("level", ["codes", "summary"])
async def test_a_requesters_write_takes_nothing_from_what_it_does_not_see(
    wire: httpx.AsyncClient,
    guarded: Service,
    monkeypatch: pytest.MonkeyPatch,
    level: str,
) -> None:
    loop = await answered(wire, guarded, monkeypatch, level)
    before = (await wire.get(loop.task, headers=loop.club)).json()
    mine = (await loop.seen(loop.task)).json()
    mine["note"] = [{"text": "thank you"}]
    answer = await wire.put(loop.task, json=mine, headers=loop.clinic)
    assert answer.status_code == 200, answer.text
    assert SECRET not in answer.text
    after = (await wire.get(loop.task, headers=loop.club)).json()
    for name in ("output", "extension"):
        assert orjson.dumps(after[name]) == orjson.dumps(before[name]), name
    assert len(after["note"]) == len(before["note"]) + 1
