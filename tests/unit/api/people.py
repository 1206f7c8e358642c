"""Synthetic resources as a client posts them."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
OWN = "https://social-prescribing-adapter.example/fhir/CodeSystem/social-prescription"
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"


def patient(number: str = "P-1") -> Json:
    """A client who does not exist."""
    return {
        "resourceType": "Patient",
        "identifier": [{"system": "urn:oid:2.999.1", "value": number}],
        "name": [{"family": "Synthetic", "given": ["Test"]}],
        "birthDate": "1950-01-01",
    }


def request(subject: str, number: str = "SR-1", **more: Any) -> Json:
    """A social prescription."""
    return {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": "urn:oid:2.999.2", "value": number}],
        "status": "active",
        "intent": "order",
        "subject": {"reference": subject},
        "reasonCode": [{"coding": [{"system": "urn:oid:2.999.3", "code": "Z60.2"}]}],
        **more,
    }


def task(focus: str, subject: str, **more: Any) -> Json:
    """A Task that asks to fulfil a request."""
    return {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": {
            "coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]
        },
        "focus": {"reference": focus},
        "for": {"reference": subject},
        **more,
    }


def summary(text: str = "She walks with us twice a week.") -> Json:
    """An output: what was done, in words."""
    return {"type": {"coding": [{"system": OWN, "code": "summary"}]}, "valueString": text}


async def referral(
    api: Any, number: str = "1", status: str = "requested"
) -> tuple[Json, Json, Json]:
    """A Patient, a ServiceRequest and a Task that were posted one after the other."""
    person = (await api.post("/Patient", json=patient(f"P-{number}"))).json()
    subject = f"Patient/{person['id']}"
    answer = await api.post("/ServiceRequest", json=request(subject, f"SR-{number}"))
    assert answer.status_code == 201, answer.text
    asked = answer.json()
    focus = f"ServiceRequest/{asked['id']}"
    answer = await api.post("/Task", json=task(focus, subject, status=status))
    assert answer.status_code == 201, answer.text
    return person, asked, answer.json()
