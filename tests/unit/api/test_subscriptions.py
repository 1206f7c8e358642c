"""Subscriptions: handshake, events by number, content, filters, failure, and who hears of what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from adapter.exchange.clock import SystemClock
from adapter.exchange.service import Service
from adapter.exchange.subscription_terms import BACKPORT, TOPICS
from adapter.exchange.subscriptions import PAUSES
from adapter.plugin.errors import GoneError, TransientError
from tests.unit.api import backend, people, records

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
TASKS, REQUESTS = TOPICS
PLACE = "https://hooks.example.org/news"


class Hook:
    """Takes the place of the subscriber's server."""

    def __init__(self) -> None:
        self.taken: list[Json] = []
        self.headers: list[Json] = []
        self.fault: Exception | None = None

    async def post(self, url: str, **call: Any) -> None:
        if self.fault is not None:
            raise self.fault
        self.headers.append(dict(call["headers"]) | {"to": url})
        self.taken.append(orjson.loads(call["content"]))

    def events(self) -> list[Json]:
        return [each for each in self.taken if said(each)["type"] == "event-notification"]


class Postbox:
    """Takes the place of the mail server."""

    def __init__(self) -> None:
        self.letters: list[tuple[str, str, str, bytes]] = []

    async def send(self, recipient: str, subject: str, text: str, attachment: bytes) -> None:
        self.letters.append((recipient, subject, text, attachment))


class LaterClock(SystemClock):
    """The time, some seconds later."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> Any:
        return super().now() + timedelta(seconds=self.ahead)


@pytest.fixture
def hook(service: Service) -> Hook:
    made = Hook()
    service.notifier._http = made  # type: ignore[assignment]
    return made


@pytest.fixture
def later(service: Service, monkeypatch: pytest.MonkeyPatch) -> LaterClock:
    clock = LaterClock()
    monkeypatch.setattr(service, "clock", clock)
    monkeypatch.setattr(service.notifier, "_clock", clock)
    monkeypatch.setattr(service.store, "_clock", clock.now)
    return clock


def subscription(
    content: str = "id-only", criteria: str = "Task?", topic: str = TASKS, **channel: Any
) -> Json:
    extension = [{"url": f"{BACKPORT}/backport-payload-content", "valueCode": content}]
    return {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "synthetic",
        "criteria": topic,
        "_criteria": {
            "extension": [{"url": f"{BACKPORT}/backport-filter-criteria", "valueString": criteria}]
        },
        "channel": {
            "type": "rest-hook",
            "endpoint": PLACE,
            "payload": "application/fhir+json",
            "_payload": {"extension": extension},
        }
        | channel,
    }


def said(bundle: Json) -> Json:
    """The status at the head of a notification, by name."""
    found: Json = {}
    for each in bundle["entry"][0]["resource"]["parameter"]:
        value = next((v for n, v in each.items() if n.startswith("value")), each.get("part"))
        if each["name"] == "notification-event":
            found.setdefault("numbers", []).append(value[0]["valueString"])
            focus = next((part for part in value if part["name"] == "focus"), None)
            found.setdefault("focus", []).append(focus and focus["valueReference"]["reference"])
        else:
            found[each["name"]] = value
    return found


async def drained(service: Service) -> None:
    """Everything that is due is sent."""
    for _ in range(20):
        if not await service.notifier.serve_due():
            return
    raise AssertionError("it never ends")


async def started(api: httpx.AsyncClient, service: Service, body: Json, **more: Any) -> Json:
    answer = await api.post("/Subscription", json=body, **more)
    assert answer.status_code == 201, answer.text
    assert answer.json()["status"] == "requested"
    await drained(service)
    made: Json = (await api.get(f"/Subscription/{answer.json()['id']}", **more)).json()
    return made


async def off(api: httpx.AsyncClient, made: Json) -> None:
    answer = await api.put(f"/Subscription/{made['id']}", json=made | {"status": "off"})
    assert answer.json()["status"] == "off"


async def test_a_channel_that_answers_its_handshake_makes_a_subscription_active(
    api: httpx.AsyncClient, service: Service, hook: Hook
) -> None:
    made = await started(api, service, subscription(header=["Authorization: Bearer synthetic"]))
    assert made["status"] == "active"
    first = said(hook.taken[0])
    assert (first["type"], first["status"], first["topic"]) == ("handshake", "requested", TASKS)
    assert first["events-since-subscription-start"] == "0"
    assert hook.headers[0]["Authorization"] == "Bearer synthetic"
    assert hook.taken[0]["type"] == "history"
    await off(api, made)


async def test_each_change_is_one_event_with_the_next_number_and_ids_alone(
    api: httpx.AsyncClient, service: Service, hook: Hook
) -> None:
    made = await started(api, service, subscription())
    person, _, task = await people.referral(api, "sub1")
    await drained(service)
    await api.put(f"/Task/{task['id']}", json=task | {"status": "accepted"})
    await drained(service)
    told = hook.events()
    assert [said(each)["numbers"] for each in told] == [["1"], ["2"]]
    place = f"http://adapter.example/fhir/Task/{task['id']}"
    assert [said(each)["focus"] for each in told] == [[place], [place]]
    assert all("resource" not in entry for each in told for entry in each["entry"][1:])
    assert person["name"][0]["family"] not in orjson.dumps(told).decode()
    status = (await api.get(f"/Subscription/{made['id']}/$status")).json()
    assert said({"entry": status["entry"]})["events-since-subscription-start"] == "2"
    query = {"eventsSinceNumber": 2, "content": "full-resource"}
    asked = (await api.get(f"/Subscription/{made['id']}/$events", params=query)).json()
    assert said(asked)["numbers"] == ["2"]
    assert asked["entry"][1]["resource"]["status"] == "accepted"
    await off(api, made)


@pytest.mark.parametrize("content", ["empty", "id-only", "full-resource"])
async def test_a_notification_says_as_much_as_was_asked(
    api: httpx.AsyncClient, service: Service, hook: Hook, content: str
) -> None:
    made = await started(api, service, subscription(content))
    _, _, task = await people.referral(api, f"c-{content}")
    await drained(service)
    (told,) = hook.events()
    assert (task["id"] in orjson.dumps(told).decode()) == (content != "empty")
    assert any("resource" in each for each in told["entry"][1:]) == (content == "full-resource")
    await off(api, made)


async def test_filters_and_topics_hold(
    api: httpx.AsyncClient, service: Service, hook: Hook
) -> None:
    accepted = await started(api, service, subscription(criteria="Task?status=accepted,completed"))
    requests = await started(api, service, subscription(topic=REQUESTS, criteria="ServiceRequest?"))
    _, asked, task = await people.referral(api, "filter")
    await drained(service)
    assert [said(each)["topic"] for each in hook.events()] == [REQUESTS]  # it became a referral
    await api.put(f"/Task/{task['id']}", json=task | {"status": "accepted"})
    await drained(service)
    assert [said(each)["topic"] for each in hook.events()][1:] == [TASKS]
    assert asked["id"] in orjson.dumps(hook.events()[0]).decode()
    for each in (accepted, requests):
        await off(api, each)


async def test_what_was_not_taken_comes_again_in_order_and_nothing_is_lost(
    api: httpx.AsyncClient, service: Service, hook: Hook, later: LaterClock
) -> None:
    made = await started(api, service, subscription())
    hook.fault = TransientError("http.unreachable", "nobody is there")
    _, _, task = await people.referral(api, "retry")
    await drained(service)
    await api.put(f"/Task/{task['id']}", json=task | {"status": "accepted"})
    await drained(service)
    assert hook.events() == []
    hook.fault = None
    later.ahead += 60
    await drained(service)
    assert [n for each in hook.events() for n in said(each)["numbers"]] == ["1", "2"]
    await off(api, made)


async def test_a_channel_that_fails_for_long_is_in_error_until_it_is_asked_for_anew(
    api: httpx.AsyncClient, service: Service, hook: Hook, later: LaterClock
) -> None:
    made = await started(api, service, subscription())
    hook.fault = TransientError("http.unreachable", "nobody is there")
    await people.referral(api, "error")
    for pause in (*PAUSES, 0, 0):
        await drained(service)
        later.ahead += pause * 2
    now = (await api.get(f"/Subscription/{made['id']}")).json()
    assert (now["status"], now["error"].split(":")[0]) == ("error", "http.unreachable")
    await people.referral(api, "missed")
    hook.fault = None
    await api.put(f"/Subscription/{made['id']}", json=now | {"status": "requested"})
    await drained(service)
    assert said(hook.taken[1])["type"] == "handshake"
    assert [n for each in hook.events() for n in said(each)["numbers"]] == ["1", "2"]
    now = (await api.get(f"/Subscription/{made['id']}")).json()
    assert now["status"] == "active"
    assert "error" not in now
    hook.fault = GoneError("http.gone", "it is gone")
    await people.referral(api, "gone")
    await drained(service)
    assert (await api.get(f"/Subscription/{made['id']}")).json()["status"] == "error"
    await off(api, made)


async def test_a_heartbeat_comes_while_there_is_no_news(
    api: httpx.AsyncClient, service: Service, hook: Hook, later: LaterClock
) -> None:
    beat = {"url": f"{BACKPORT}/backport-heartbeat-period", "valueUnsignedInt": 30}
    made = await started(api, service, subscription(extension=[beat]))
    later.ahead += 31
    await drained(service)
    assert [said(each)["type"] for each in hook.taken] == ["handshake", "heartbeat"]
    await off(api, made)


async def test_without_a_mail_server_an_e_mail_subscription_is_refused_at_once(
    api: httpx.AsyncClient,
) -> None:
    body = subscription()
    body["channel"] |= {"type": "email", "endpoint": "mailto:intake@agency.example"}
    answer = await api.post("/Subscription", json=body)
    assert answer.status_code == 422
    issue = answer.json()["issue"][0]
    assert issue["expression"] == ["Subscription.channel.type"]
    assert "[smtp]" in issue["diagnostics"]


async def test_an_e_mail_names_nobody(
    api: httpx.AsyncClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    postbox = Postbox()
    monkeypatch.setattr(service.notifier, "_mailer", postbox)
    channel = {"type": "email", "endpoint": "mailto:intake@agency.example"}
    made = await started(api, service, subscription("id-only", **channel))
    await people.referral(api, "mail")
    await drained(service)
    assert [each[0] for each in postbox.letters] == ["intake@agency.example"] * 2
    assert "Synthetic" not in str(postbox.letters)
    refused = await api.post("/Subscription", json=subscription("full-resource", **channel))
    assert refused.status_code == 422
    await off(api, made)


WRONG: list[tuple[Json, str]] = [
    (subscription(topic="http://example.org/topic"), "Subscription.criteria"),
    (subscription(criteria="Task?banana=1"), "Subscription.criteria.extension"),
    (subscription(criteria="Patient?status=x"), "Subscription.criteria.extension"),
    (subscription("everything"), "Subscription.channel.payload"),
    (subscription(type="sms"), "Subscription.channel.type"),
    (subscription(header=["a b\r\nc: d"]), "Subscription.channel.header[0]"),
    *(
        (subscription(endpoint=place), "Subscription.channel.endpoint")
        for place in (
            "http://hooks.example.org/plain",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest",
            "https://user@hooks.example.org/",
            "https://2130706433/",
            "https://intranet/",
            "https://hooks.example.org:8443/",
            "file:///etc/passwd",
            "",
        )
    ),
]


@pytest.mark.parametrize(("body", "at"), WRONG)
async def test_what_is_not_done_here_is_refused_and_says_where(
    api: httpx.AsyncClient, body: Json, at: str
) -> None:
    answer = await api.post("/Subscription", json=body)
    assert answer.status_code == 422, answer.text
    assert any(each["expression"][0].startswith(at) for each in answer.json()["issue"])


async def test_each_organization_hears_of_its_own_referrals_alone(
    wire: httpx.AsyncClient, guarded: Service
) -> None:
    hook = Hook()
    guarded.notifier._http = hook  # type: ignore[assignment]
    headers = {}
    for party in ("Clinic Sub", "Clinic Else", "Club Sub"):
        client = backend.registered(guarded, f"sub {party}", party)
        token = await backend.token(wire, guarded, client)
        headers[party] = {"Authorization": f"Bearer {token}"}
    own = {}
    for party, held in headers.items():
        body = subscription("full-resource", endpoint=f"{PLACE}/{party.replace(' ', '-')}")
        own[party] = await started(wire, guarded, body, headers=held)
    for party in ("Clinic Sub", "Clinic Else"):
        mine = headers[party]
        person = (await wire.post("/Patient", json=people.patient(), headers=mine)).json()
        subject = f"Patient/{person['id']}"
        body = records.request(subject, "S")
        asked = (await wire.post("/ServiceRequest", json=body, headers=mine)).json()
        owner = "Club Sub" if party == "Clinic Sub" else "Club Other"
        task = records.task(f"ServiceRequest/{asked['id']}", subject, party, owner)
        assert (await wire.post("/Task", json=task, headers=mine)).status_code == 201
        await drained(guarded)
    heard = [
        (each["to"].rpartition("/")[2], bundle["entry"][1]["resource"]["identifier"][0]["value"])
        for each, bundle in zip(hook.headers, hook.taken, strict=True)
        if said(bundle)["type"] == "event-notification"
    ]
    assert sorted(heard) == [
        ("Clinic-Else", "Clinic Else-Task"),
        ("Clinic-Sub", "Clinic Sub-Task"),
        ("Club-Sub", "Clinic Sub-Task"),
    ]
    other = own["Clinic Sub"]["id"]
    for place in (f"/Subscription/{other}", f"/Subscription/{other}/$status",
                  f"/Subscription/{other}/$events"):  # fmt: skip
        answer = await wire.get(place, headers=headers["Clinic Else"])
        assert answer.status_code == 404
