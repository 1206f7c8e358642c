"""Referrals that a peer made on its own server: taken, answered, taken back."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from world import OUTCOME, US, World, answered

from adapter.plugin import DataError

pytestmark = pytest.mark.anyio


async def test_a_task_for_us_becomes_a_referral_without_the_peers_logical_ids(world) -> None:
    here = world(us=US)
    here.referral("77")

    (message,) = await here.polled()
    read = here.read(message)

    assert read.event.kind == "request"
    assert read.event.referral.subject.name.family == "Synthetic"
    assert read.event.referral.requester.organization.name == "Clinic"
    bundle = orjson.loads(message.raw)
    assert {each["resource"]["id"] for each in bundle["entry"]}.isdisjoint({"t77", "r77", "p77"})
    links = {each.value for each in read.event.referral.identifiers}
    assert f"{here.server.base}/ServiceRequest/r77" in links
    assert "R-77" in links


async def test_the_same_task_is_handed_over_once_and_again_only_from_an_older_cursor(world) -> None:
    here = world(us=US)
    here.referral()

    first = await here.polled()
    second = await here.polled()
    here.cursor = None
    third = await here.polled()

    assert len(first) == 1
    assert second == []
    assert [(each.key, each.raw) for each in third] == [(each.key, each.raw) for each in first]


async def test_every_page_is_read_and_each_cursor_leads_to_exactly_the_rest(world) -> None:
    here = world(us=US, page_size=2)
    for number in range(5):
        here.referral(str(number))

    everything = [(m.key, c) async for m, c in here.system.poll(None)]

    assert len({key for key, _ in everything}) == 5
    for number, (_, cursor) in enumerate(everything, 1):
        rest = [message.key async for message, _ in here.system.poll(cursor)]
        assert rest == [key for key, _ in everything[number:]]


async def test_tasks_of_others_are_left_alone(world) -> None:
    here = world(us=US)
    here.referral("1", owner="Organization/them")
    here.referral("2", owner=None)

    assert await here.polled() == []


async def test_news_goes_onto_the_peers_task_and_its_outcome_about_the_peers_patient(world) -> None:
    here = world(us=US)
    here.referral()
    (message,) = await here.polled()
    read = here.read(message)

    for status, more in (
        ("accepted", {}),
        ("in-progress", {"note": "First walk on Tuesday."}),
        ("completed", {"outcome": OUTCOME}),
    ):
        await here.system.deliver(answered(read, status, **more))

    task = here.one("Task")
    assert task["status"] == "completed"
    assert [each["text"] for each in task["note"]] == ["First walk on Tuesday."]
    done = here.one("Procedure")
    assert done["subject"]["reference"] == "Patient/p1"
    assert done["basedOn"][0]["reference"] == "ServiceRequest/r1"
    named = [o["valueReference"]["reference"] for o in task["output"] if "valueReference" in o]
    assert named == [f"Procedure/{done['id']}"]
    assert task["focus"]["reference"] == "ServiceRequest/r1"
    assert await here.polled() == []  # our own writes are no news


async def test_a_delivery_that_is_repeated_changes_nothing_more(world) -> None:
    here = world(us=US)
    here.referral()
    read = here.read((await here.polled())[0])
    await here.system.deliver(answered(read, "accepted"))
    last = answered(read, "completed", outcome=OUTCOME)

    await here.system.deliver(last)
    version = here.one("Task")["meta"]["versionId"]
    await here.system.deliver(last)

    assert here.one("Task")["meta"]["versionId"] == version
    assert len(here.all("Procedure")) == 1


async def test_outputs_that_the_peer_added_itself_stay(world) -> None:
    here = world(us=US)
    theirs = {"type": {"text": "theirs"}, "valueString": "Kept"}
    here.referral(output=[theirs])
    read = here.read((await here.polled())[0])

    await here.system.deliver(answered(read, "accepted"))
    await here.system.deliver(answered(read, "completed", outcome=OUTCOME))

    outputs = here.one("Task")["output"]
    assert outputs[0] == theirs
    assert len(outputs) > 1


async def test_a_change_by_somebody_else_in_between_is_kept(world) -> None:
    here = world(us=US)
    here.referral()
    read = here.read((await here.polled())[0])
    put = here.system._writer.put
    raced = []

    async def slower(place, before, after, tag, offers):
        if not raced:
            raced.append(here.server.put({**before, "description": "changed meanwhile"}))
        return await put(place, before, after, tag, offers)

    here.system._writer.put = slower
    await here.system.deliver(answered(read, "accepted"))

    task = here.one("Task")
    assert (task["status"], task["description"]) == ("accepted", "changed meanwhile")


async def test_a_task_that_ended_otherwise_is_not_reopened(world) -> None:
    here = world(us=US)
    task = here.referral()
    read = here.read((await here.polled())[0])
    here.move(task, "cancelled", statusReason={"text": "moved away"})

    with pytest.raises(DataError) as caught:
        await here.system.deliver(answered(read, "accepted"))

    assert caught.value.code == "fhir.task-ended"
    assert here.one("Task")["status"] == "cancelled"


async def test_a_task_that_is_cancelled_there_cancels_the_referral(world) -> None:
    here = world(us=US)
    task = here.referral()
    first = here.read((await here.polled())[0])
    here.move(task, "cancelled", statusReason={"text": "moved away"})

    (message,) = await here.polled()
    read = here.read(message)

    assert read.event.kind == "cancel"
    assert read.event.referral.id == first.event.referral.id
    assert read.event.fulfilments[0].reason.text == "moved away"


async def test_a_request_that_changes_or_is_revoked_is_told(world) -> None:
    here = world(us=US)
    here.referral()
    await here.polled()
    request = here.one("ServiceRequest")

    here.server.put({**request, "note": [{"text": "Call in the afternoon."}]})
    (changed,) = await here.polled()
    here.server.put({**request, "status": "revoked"})
    (revoked,) = await here.polled()

    assert here.read(changed).event.kind == "modify"
    assert here.read(changed).event.referral.notes[0].text == "Call in the afternoon."
    assert here.read(revoked).event.kind == "cancel"


async def test_a_request_that_cannot_be_read_is_handed_over_for_a_person_to_see(world) -> None:
    here = world(us=US)
    here.server.put(
        {
            "resourceType": "Task",
            "id": "lost",
            "status": "requested",
            "intent": "order",
            "code": {"coding": [{"code": "fulfill"}]},
            "focus": {"reference": "ServiceRequest/nobody"},
            "owner": {"reference": US},
        }
    )

    (message,) = await here.polled()

    assert here.read(message).event.referral is None


async def test_of_many_who_claim_an_open_task_one_has_it(world) -> None:
    first = world("hapi", us=US, claim="true")
    first.referral(owner=None)
    others = [
        World(server=first.server, us=f"Organization/{name}", claim=True)
        for name in ("them", "clinic")
    ]
    try:
        found = await asyncio.gather(first.polled(), *(each.polled() for each in others))
    finally:
        for each in others:
            await each.close()

    assert sorted(len(each) for each in found) == [0, 0, 1]
    assert first.one("Task")["owner"]["reference"].startswith("Organization/")


@pytest.mark.parametrize("missing", ["owner", "_lastUpdated"])
async def test_a_server_that_cannot_search_so_is_read_whole_and_ours_is_chosen(
    world, missing, monkeypatch
) -> None:
    here = world(us=US)
    metadata = here.server.metadata()
    for each in metadata["rest"][0]["resource"]:
        kept = [p for p in each.get("searchParam", ()) if p["name"] != missing]
        each["searchParam"] = kept
    monkeypatch.setattr(here.server, "metadata", lambda: metadata)
    here.referral("1")
    here.referral("2", owner="Organization/them")

    first = await here.polled()
    second = await here.polled()

    assert [here.read(each).event.kind for each in first] == ["request"]
    assert second == []
    asked = [each.query for each in here.server.requests if each.path.endswith("/Task")]
    assert asked
    assert not any(missing in each.replace("_sort=_lastUpdated", "") for each in asked)
