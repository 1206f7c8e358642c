"""Invented people and referrals as FHIR resources, for loops over a FHIR server."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
MARK = "https://tests.example/fhir/NamingSystem/referral"
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"


def organization(own: str, name: str) -> Json:
    return {"resourceType": "Organization", "id": own, "name": name}


def referral(number: str, *, requester: str, owner: str | None, base: str = "") -> Json:
    """A transaction as an EMR makes it on its own server: patient, need, request, Task."""
    task: Json = {
        "resourceType": "Task",
        "status": "requested",
        "intent": "order",
        "code": {
            "coding": [{"system": "http://hl7.org/fhir/CodeSystem/task-code", "code": "fulfill"}]
        },
        "focus": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000003"},
        "for": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
        "authoredOn": "2026-03-02T10:00:00-05:00",
        "requester": {"reference": requester},
        "identifier": [{"system": f"{MARK}/task", "value": number}],
    }
    if owner:
        task["owner"] = {"reference": owner}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            _entry(
                1,
                {
                    "resourceType": "Patient",
                    "identifier": [{"system": f"{MARK}/patient", "value": f"{number}P"}],
                    "name": [{"family": "Synthetic", "given": [f"Person{number}"]}],
                    "birthDate": "1950-01-01",
                    "gender": "female",
                },
            ),
            _entry(
                2,
                {
                    "resourceType": "Condition",
                    "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
                    "code": {
                        "coding": [
                            {
                                "system": "http://hl7.org/fhir/sid/icd-10",
                                "code": "Z60.2",
                                "display": "Problems related to living alone",
                            }
                        ]
                    },
                },
            ),
            _entry(
                3,
                {
                    "resourceType": "ServiceRequest",
                    "status": "active",
                    "intent": "order",
                    "code": {"text": "Social prescription"},
                    "identifier": [{"system": MARK, "value": number}],
                    "subject": {"reference": "urn:uuid:00000000-0000-4000-8000-000000000001"},
                    "requester": {"reference": requester},
                    "authoredOn": "2026-03-02T10:00:00-05:00",
                    "reasonReference": [
                        {"reference": "urn:uuid:00000000-0000-4000-8000-000000000002"}
                    ],
                    "note": [{"text": "lonely since moving"}],
                },
            ),
            _entry(4, task),
        ],
    }


def _entry(number: int, resource: Json) -> Json:
    return {
        "fullUrl": f"urn:uuid:00000000-0000-4000-8000-00000000000{number}",
        "resource": resource,
        "request": {"method": "POST", "url": resource["resourceType"]},
    }


def procedure(subject: str) -> Json:
    """What an agency did."""
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": {"text": "Walked with the Tuesday group"},
        "subject": {"reference": subject},
    }


def done(reference: str) -> Json:
    """The output that names it."""
    return {
        "type": {"coding": [{"system": GRAVITY, "code": "resulting-activity"}]},
        "valueReference": {"reference": reference},
    }
