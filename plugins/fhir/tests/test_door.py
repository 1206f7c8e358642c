"""Subscriptions and pushes: what comes by itself, and what is missed and caught up with."""

from __future__ import annotations

from dataclasses import replace

import httpx
import orjson
import pytest
from world import THEM, US, World, sent

from adapter_conformance.fakes.fhir_notices import Notices

pytestmark = pytest.mark.anyio
FHIR = {"Content-Type": "application/fhir+json"}


async def knock(here: World, raw: bytes, *, path: str = "/", method: str = "POST", **headers: str):
    """What the door answers."""
    (endpoint,) = here.system.endpoints()
    road = httpx.ASGITransport(app=endpoint.app)
    async with httpx.AsyncClient(transport=road, base_url="http://door") as client:
        return await client.request(method, path, content=raw, headers={**FHIR, **headers})


async def bring(here: World, notices: Notices) -> list[int]:
    """Send what is pending to the door; the statuses of its answers."""
    statuses = []
    door = here.context.url("").rstrip("/")

    async def send(notice) -> None:
        path = notice.url.removeprefix(door) or "/"
        answer = await knock(
            here, notice.body, path=path, method=notice.method, **dict(notice.headers)
        )
        statuses.append(answer.status_code)

    await notices.send_all(send)
    return statuses


def real(here: World) -> World:
    """The same site, not flagged test: its door wants a token. Its way to the server stays."""
    assert here.context.http
    here.context._site = replace(here.context._site, test=False)
    return here


async def test_a_rest_hook_without_payload_brings_what_changed_at_once(world) -> None:
    here = real(world("hapi", role="requester", us=US, subscribe="rest-hook"))
    notices = Notices(here.server)
    assert await here.polled() == []

    here.referral()
    statuses = await bring(here, notices)

    assert set(statuses) == {200}
    assert [each.kind for each in here.context.accepted] == ["Bundle"]
    assert here.read(here.context.accepted[0]).event.kind == "request"
    again = [each.key for each in await here.polled()]
    assert again == [here.context.accepted[0].key]  # the poll says the same, under the same key


async def test_the_backport_tells_by_id_and_the_task_is_read_from_the_server(world) -> None:
    here = real(world("strict", role="requester", us=US, subscribe="backport"))
    notices = Notices(here.server)
    await here.polled()
    subscription = here.one("Subscription")
    assert "payload-content" in orjson.dumps(subscription).decode()

    await bring(here, notices)  # the handshake
    here.referral()
    statuses = await bring(here, notices)

    assert set(statuses) == {200}
    assert len(here.context.accepted) == 1


async def test_an_event_that_was_lost_is_caught_up_with_when_the_next_one_comes(world) -> None:
    here = real(world("strict", role="requester", us=US, subscribe="backport"))
    notices = Notices(here.server)
    await here.polled()
    await bring(here, notices)
    here.referral("1")
    notices.lose(len(notices.pending))

    here.referral("2")
    await bring(here, notices)

    assert len({each.key for each in here.context.accepted}) == 2


async def test_a_heartbeat_that_counts_more_than_we_saw_brings_the_rest(world) -> None:
    here = real(world("strict", role="requester", us=US, subscribe="backport"))
    notices = Notices(here.server)
    await here.polled()
    await bring(here, notices)
    here.referral("1")
    notices.lose(len(notices.pending))

    notices.heartbeat()
    await bring(here, notices)

    assert len(here.context.accepted) == 1


async def test_a_subscription_that_was_switched_off_is_made_again(world) -> None:
    here = real(world("hapi", role="requester", us=US, subscribe="rest-hook"))
    await here.polled()
    (first,) = here.all("Subscription")
    here.server.put({**first, "status": "off"})

    await here.polled()
    await here.polled()

    assert len(here.all("Subscription")) == 2


async def test_medplums_signature_lets_in_and_a_wrong_one_does_not(world) -> None:
    here = real(world("medplum", role="requester", vendor="medplum", us=US, subscribe="rest-hook"))
    notices = Notices(here.server)
    await here.polled()
    notices.secret = here.one("Subscription")["extension"][0]["valueString"].encode()
    here.referral()
    for notice in notices.pending:
        notice.headers.pop("Authorization")

    assert set(await bring(here, notices)) == {200}
    wrong = await knock(here, b"{}", **{"X-Signature": "0" * 64})

    assert wrong.status_code == 401
    assert len(here.context.accepted) == 1


async def test_without_the_token_nobody_is_let_in_and_nothing_is_said(world) -> None:
    here = real(world(us=US))

    for headers in ({}, {"Authorization": "Bearer wrong"}):
        answer = await knock(here, b"", **headers)
        assert answer.status_code == 401

    assert here.context.accepted == []


async def test_a_bundle_without_ids_is_handed_over_byte_for_byte(world) -> None:
    here = world(us=US)
    bundle = orjson.loads(sent("request").body)
    for entry in bundle["entry"]:
        entry["resource"].pop("id", None)
    raw = orjson.dumps({**bundle, "identifier": {"system": "urn:example", "value": "m-1"}})

    first = await knock(here, raw)
    second = await knock(here, raw)
    other = await knock(here, raw.replace(b"Synthetic", b"citehtnyS"))

    assert (first.status_code, second.content) == (202, first.content)
    assert other.status_code == 409
    assert [each.raw for each in here.context.accepted] == [raw]


async def test_a_bundle_with_another_servers_ids_gets_ours(world) -> None:
    here = world(us=US)
    message = sent("request")

    await knock(here, message.body)

    read = here.read(here.context.accepted[0])
    assert read.event.referral.id != message.referral
    assert read.event.referral.subject.name.family == "Synthetic"


async def test_a_task_that_is_brought_to_us_is_taken_with_its_request_read_where_it_is(
    world,
) -> None:
    here = world(us=US)
    here.referral()
    task = here.one("Task")
    focus = f"{here.server.base}/ServiceRequest/r1"
    alone = {name: task[name] for name in ("resourceType", "status", "intent", "code")}
    brought = orjson.dumps({**alone, "focus": {"reference": focus}})

    answer = await knock(here, brought)

    assert answer.status_code == 201
    read = here.read(here.context.accepted[0])
    assert read.event.referral.subject.name.family == "Synthetic"
    done = replace(sent("answer", "accepted"), fulfilment=read.event.fulfilments[0].id)
    body = done.body.replace(
        b"018f0000-0000-7000-8000-000000000002", read.event.fulfilments[0].id.encode()
    )
    await here.system.deliver(replace(done, body=body))  # it is read at our own server
    assert here.one("Task")["status"] == "requested"


async def test_a_task_whose_request_cannot_be_read_is_refused_and_journaled(world) -> None:
    here = world(us=US)
    task = {"resourceType": "Task", "status": "requested", "intent": "order"}
    focus = {"reference": f"{here.server.base}/ServiceRequest/none"}

    answer = await knock(here, orjson.dumps({**task, "focus": focus}))

    assert answer.status_code == 422
    assert [each.code for each in here.context.refused] == ["fhir.task-not-taken"]


@pytest.mark.parametrize("raw", [b"\x00\xff", b"[]", b'{"resourceType": "Binary"}', b'{"a":1}'])
async def test_what_is_no_message_is_refused_and_journaled(world, raw) -> None:
    here = world(us=US)

    answer = await knock(here, raw)

    assert answer.status_code == 422
    assert len(here.context.refused) == 1


async def test_news_of_a_task_that_we_made_comes_by_notification_too(world) -> None:
    here = real(world("strict", role="performer", us=US, them=THEM, subscribe="backport"))
    notices = Notices(here.server)
    await here.polled()
    await bring(here, notices)
    await here.system.deliver(sent("request"))
    here.move(here.one("Task"), "accepted")

    await bring(here, notices)

    assert [here.read(each).event.fulfilments[0].status for each in here.context.accepted] == [
        "accepted"
    ]
