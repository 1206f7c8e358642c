"""Referrals that we put on a performer's server, and what comes back from there."""

from __future__ import annotations

import orjson
import pytest
from world import CASE, THEM, US, WORK, referral, sent

from adapter.plugin import AdapterError, ConfigError, TransientError
from adapter.referral.model import Fulfilment, Identifier, Reason

pytestmark = pytest.mark.anyio
LINK = {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{WORK}"}


def performer(world, ways: str = "strict", **settings: str):
    return world(ways, role="performer", **{"us": US, "them": THEM, **settings})


@pytest.mark.parametrize("ways", ["strict", "hapi", "medplum"])
async def test_a_referral_is_put_there_under_ids_of_its_own_linked_by_identifier(
    world, ways
) -> None:
    there = performer(world, ways)

    delivered = await there.system.deliver(sent("request"))

    task, request = there.one("Task"), there.one("ServiceRequest")
    assert delivered.external_ids["Task"] == f"Task/{task['id']}"
    assert task["id"] != WORK
    assert request["id"] != CASE
    assert LINK in task["identifier"]
    assert task["focus"]["reference"] == f"ServiceRequest/{request['id']}"
    assert task["for"]["reference"] == f"Patient/{there.one('Patient')['id']}"
    assert (task["requester"]["reference"], task["owner"]["reference"]) == (US, THEM)
    assert request["reasonReference"][0]["reference"] == f"Condition/{there.one('Condition')['id']}"


@pytest.mark.parametrize("ways", ["strict", "hapi"])
async def test_delivered_again_it_is_there_once(world, ways) -> None:
    there = performer(world, ways)

    await there.system.deliver(sent("request"))
    await there.system.deliver(sent("request", attempt=2))

    assert [len(there.all(kind)) for kind in ("Task", "ServiceRequest", "Patient")] == [1, 1, 1]


async def test_without_transaction_and_condition_each_is_asked_for_before_it_is_made(world) -> None:
    there = performer(world)
    metadata = there.server.metadata()
    metadata["rest"][0]["interaction"] = []
    for each in metadata["rest"][0]["resource"]:
        each["conditionalCreate"] = False
    there.server.metadata = lambda: metadata

    await there.system.deliver(sent("request"))
    there.system._correlation = type(there.system._correlation)(there.context)
    there.context.memory_state._values = {}
    await there.system.deliver(sent("request", attempt=2))

    assert [len(there.all(kind)) for kind in ("Task", "ServiceRequest", "Patient")] == [1, 1, 1]


async def test_an_answer_that_was_lost_is_found(world) -> None:
    there = performer(world)
    await there.system.offers()
    there.server.fail_next(*["lost-answer"] * 8)

    with pytest.raises(TransientError):
        await there.system.deliver(sent("request"))
    there.server._faults.clear()
    found = await there.system.find(sent("request", attempt=2))

    assert found is not None
    assert found.external_ids["Task"] == f"Task/{there.one('Task')['id']}"
    assert len(there.all("Task")) == 1


async def test_what_was_never_delivered_is_not_found(world) -> None:
    there = performer(world)

    assert await there.system.find(sent("request")) is None


async def test_in_the_direct_flow_the_task_goes_alone_and_points_to_our_server(world) -> None:
    there = performer(world, "hapi", flow="direct", own_fhir="https://adapter.example/fhir")

    await there.system.deliver(sent("request"))

    task = there.one("Task")
    assert there.all("ServiceRequest") == []
    assert task["focus"]["reference"] == f"https://adapter.example/fhir/ServiceRequest/{CASE}"
    assert task["for"]["reference"].startswith("https://adapter.example/fhir/Patient/")


async def test_a_referral_from_another_server_goes_on_as_a_child_order(world) -> None:
    there = performer(world)
    parent = "https://emr.example/fhir"
    case = referral(Identifier(system="urn:ietf:rfc:3986", value=f"{parent}/ServiceRequest/9"))
    work = Fulfilment(
        id=WORK,
        referral=CASE,
        status="requested",
        identifiers=(Identifier(system="urn:ietf:rfc:3986", value=f"{parent}/Task/7"),),
    )

    await there.system.deliver(sent("request", case=case, work=work))

    request, task = there.one("ServiceRequest"), there.one("Task")
    assert request["intent"] == "filler-order"
    assert request["basedOn"][0]["reference"] == f"{parent}/ServiceRequest/9"
    assert task["partOf"][0]["reference"] == f"{parent}/Task/7"
    assert task["intent"] == "order"
    assert "9" not in {request["id"], task["id"]}


async def test_a_cancellation_ends_the_task_there_and_revokes_the_request(world) -> None:
    there = performer(world)
    await there.system.deliver(sent("request"))
    case = referral()
    case = type(case)(**{**{n: getattr(case, n) for n in case.__slots__}, "status": "revoked"})
    work = Fulfilment(
        id=WORK, referral=CASE, status="cancelled", reason=Reason(text="client withdrew")
    )

    await there.system.deliver(sent("cancel", case=case, work=work))

    assert there.one("Task")["status"] == "cancelled"
    assert there.one("Task")["statusReason"]["text"] == "client withdrew"
    assert there.one("ServiceRequest")["status"] == "revoked"
    assert await there.polled() == []  # our own cancellation is no news


async def test_a_cancellation_that_comes_too_late_leaves_what_was_completed(world) -> None:
    there = performer(world, "hapi")
    await there.system.deliver(sent("request"))
    there.move(there.one("Task"), "completed")

    await there.system.deliver(sent("cancel", "cancelled"))

    assert there.one("Task")["status"] == "completed"


async def test_new_words_replace_those_of_the_request_that_is_there(world) -> None:
    there = performer(world)
    await there.system.deliver(sent("request"))
    case = referral()
    values = {name: getattr(case, name) for name in case.__slots__}
    case = type(case)(**{**values, "reason": "New words", "priority": "urgent"})

    await there.system.deliver(sent("modify", case=case))

    request = there.one("ServiceRequest")
    assert request["priority"] == "urgent"
    assert request["subject"]["reference"] == f"Patient/{there.one('Patient')['id']}"
    assert len(there.all("Patient")) == 1
    await there.system.deliver(sent("modify", case=case))
    assert there.one("ServiceRequest") == request  # the same words again are no new version


async def test_what_the_performer_says_comes_back_as_news_of_our_own_referral(world) -> None:
    there = performer(world)
    await there.system.deliver(sent("request"))
    there.move(there.one("Task"), "rejected", statusReason={"text": "no places left"})

    (message,) = await there.polled()
    read = there.read(message)

    assert read.event.kind == "answer"
    assert read.event.referral.id == CASE
    assert read.event.fulfilments[0].id == WORK
    assert read.event.fulfilments[0].status == "rejected"
    assert read.event.fulfilments[0].reason.text == "no places left"


async def test_an_acceptance_that_no_poll_saw_is_stated_before_the_outcome(world) -> None:
    there = performer(world, "hapi")
    await there.system.deliver(sent("request"))
    task = there.one("Task")
    done = there.server.put(
        {
            "resourceType": "Procedure",
            "status": "completed",
            "code": {"text": "Walked"},
            "subject": task["for"],
        }
    )
    gravity = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
    activity = {"coding": [{"system": gravity, "code": "resulting-activity"}]}
    code = {"coding": [{"system": "http://snomed.info/sct", "code": "1"}], "text": "Coached"}
    there.move(
        task,
        "completed",
        output=[
            {"type": activity, "valueReference": {"reference": f"Procedure/{done['id']}"}},
            {"type": activity, "valueCodeableConcept": code},
            {"type": {"text": "words"}, "valueString": "Went well."},
        ],
    )

    first, second = await there.polled()

    assert there.read(first).event.fulfilments[0].status == "accepted"
    said = there.read(second).event.fulfilments[0]
    assert said.status == "completed"
    assert [each.code.text for each in said.outcome.activities] == ["Walked", "Coached"]
    assert said.outcome.summary == "Went well."
    assert await there.polled() == []


async def test_the_request_that_we_put_there_ends_with_its_last_task(world) -> None:
    there = performer(world, "hapi")
    await there.system.deliver(sent("request"))
    task = there.one("Task")
    other = there.server.put({**task, "id": "another", "status": "accepted"})

    there.move(task, "completed")
    await there.polled()
    assert there.one("ServiceRequest")["status"] == "active"
    there.move(other, "failed")
    there.move(there.server.store.get("Task", task["id"]), "completed")
    await there.polled()

    assert there.one("ServiceRequest")["status"] == "completed"


async def test_a_server_where_nobody_may_create_tasks_is_told_as_configuration(world) -> None:
    there = performer(world, "epic", vendor="epic")

    with pytest.raises(ConfigError) as caught:
        await there.system.deliver(sent("request"))

    assert caught.value.code == "fhir.cannot-create"


@pytest.mark.parametrize("fault", ["unavailable", "rate-limited", "server-error"])
async def test_a_fault_that_may_pass_is_told_as_one(world, fault) -> None:
    there = performer(world)
    await there.system.offers()
    there.server.fail_next(*[fault] * 8)

    with pytest.raises(AdapterError) as caught:
        await there.system.deliver(sent("request"))

    assert isinstance(caught.value, TransientError)


async def test_addresses_and_logs_hold_nothing_of_a_person(world) -> None:
    there = performer(world)
    await there.system.deliver(sent("request"))
    there.move(there.one("Task"), "accepted")
    await there.polled()

    asked = " ".join(f"{each.path}?{each.query}" for each in there.server.requests)
    said = orjson.dumps([str(each) for each in there.context.memory_log.lines]).decode()
    assert "Synthetic" not in asked + said
