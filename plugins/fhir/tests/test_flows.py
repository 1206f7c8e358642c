"""Flows besides the plain referral: self-referral, a program by name, enrolment, clients’ Tasks."""

from __future__ import annotations

import pytest
from world import THEM, US, sent

pytestmark = pytest.mark.anyio
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"


async def test_a_self_referral_says_who_asked(world) -> None:
    here = world("hapi", us=US)
    here.referral(requester={"reference": "Organization/clinic"})
    request = here.one("ServiceRequest")
    here.server.put({**request, "requester": {"reference": "Patient/p1"}})

    (message,) = await here.polled()
    referral = here.read(message).event.referral

    assert referral.requester.role_text == "Self-referral"
    assert referral.subject.name.family == "Synthetic"


async def test_a_healthcare_service_as_performer_names_the_program(world) -> None:
    here = world("hapi", us=US)
    here.server.put({"resourceType": "HealthcareService", "id": "h1", "name": "Walking group"})
    here.referral()
    request = here.one("ServiceRequest")
    here.server.put({**request, "performer": [{"reference": "HealthcareService/h1"}]})

    (message,) = await here.polled()

    assert here.read(message).event.referral.service.program == "Walking group"


async def test_enrolment_and_findings_come_back_as_what_they_are(world) -> None:
    there = world("hapi", role="performer", us=US, them=THEM)
    await there.system.deliver(sent("request"))
    task = there.one("Task")
    code = {"coding": [{"system": GRAVITY, "code": "enrolled"}]}
    about = {"resourceType": "Observation", "status": "final", "subject": task["for"]}
    enrolled = there.server.put(
        {**about, "code": {"text": "Program"}, "valueCodeableConcept": code}
    )
    found = there.server.put({**about, "code": {"text": "Mood"}, "valueString": "better"})
    content = {"coding": [{"system": GRAVITY, "code": "additional-content"}]}
    there.move(
        task,
        "completed",
        output=[
            {"type": content, "valueReference": {"reference": f"Observation/{each['id']}"}}
            for each in (enrolled, found)
        ],
    )

    said = there.read((await there.polled())[-1]).event.fulfilments[0]

    assert said.outcome.enrolment == "enrolled"
    assert [each.value.string for each in said.outcome.observations] == ["better"]


async def test_a_second_task_on_the_same_request_is_another_fulfilment_of_one_referral(
    world,
) -> None:
    here = world("hapi", us=US)
    task = here.referral()
    first = here.read((await here.polled())[0]).event
    here.move(task, "rejected")
    await here.polled()
    here.server.put({**task, "id": "t2", "status": "requested"})

    (message,) = await here.polled()
    again = here.read(message).event

    assert again.kind == "request"
    assert again.referral.id == first.referral.id
    assert again.fulfilments[0].id != first.fulfilments[0].id


async def test_a_clients_own_task_is_left_to_the_client(world) -> None:
    here = world("hapi", us=US)
    here.referral(code={"coding": [{"system": GRAVITY, "code": "make-contact"}]})

    assert await here.polled() == []


async def test_what_a_resource_contains_comes_along(world) -> None:
    here = world("hapi", us=US)
    here.referral()
    request = here.one("ServiceRequest")
    need = {
        "resourceType": "Condition",
        "id": "need",
        "code": {"text": "Lives alone"},
        "subject": {"reference": "Patient/p1"},
    }
    here.server.put({**request, "contained": [need], "reasonReference": [{"reference": "#need"}]})

    (message,) = await here.polled()

    needs = here.read(message).event.referral.needs
    assert [each.code.text for each in needs] == ["Lives alone"]


async def test_a_test_referral_says_so(world) -> None:
    here = world("hapi", us=US)
    task = here.referral()
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
    here.server.put({**task, "meta": {"security": [label]}})

    (message,) = await here.polled()

    assert message.test
    assert message.dialect == "sdohcc-3.0"
