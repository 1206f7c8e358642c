"""One synthetic, valid resource of every type that the API stores, carrying a mark."""

from __future__ import annotations

from typing import Any

from tests.unit.api import people

Json = dict[str, Any]
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"


def text(words: str) -> Json:
    """A concept in words."""
    return {"text": words}


def record(kind: str, subject: str, mark: str) -> Json:
    """A resource of a type; `mark` stands in it where a client would look for it."""
    to = {"reference": subject}
    own: dict[str, Json] = {
        "Appointment": {
            "status": "booked",
            "description": mark,
            "start": "2026-01-05T10:00:00Z",
            "end": "2026-01-05T11:00:00Z",
            "participant": [{"actor": to, "status": "accepted"}],
        },
        "Communication": {"status": "completed", "subject": to},
        "Condition": {
            "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
            "code": text(mark),
            "subject": to,
        },
        "Consent": {
            "status": "active",
            "scope": {"coding": [{"system": SCOPE, "code": "patient-privacy"}]},
            "category": [text(mark)],
            "patient": to,
            "policyRule": text("by agreement"),
        },
        "DocumentReference": {
            "status": "current",
            "subject": to,
            "content": [{"attachment": {"contentType": "text/plain", "title": mark}}],
        },
        "Goal": {"lifecycleStatus": "active", "description": text(mark), "subject": to},
        "Group": {"type": "person", "actual": True},
        "HealthcareService": {"active": True},
        "Location": {"status": "active"},
        "Observation": {
            "status": "final",
            "code": text(mark),
            "subject": to,
            "effectiveDateTime": "2026-01-05",
        },
        "Organization": {"name": f"Club {mark}"},
        "Patient": {"name": [{"family": mark}], "birthDate": "1950-01-01"},
        "Practitioner": {"name": [{"family": mark}]},
        "PractitionerRole": {"active": True},
        "Procedure": {"status": "completed", "code": text(mark), "subject": to},
        "Provenance": {
            "target": [to],
            "recorded": "2026-01-05T10:00:00Z",
            "agent": [{"who": {"display": mark}}],
        },
        "Questionnaire": {"status": "active", "title": mark},
        "QuestionnaireResponse": {"status": "completed", "subject": to},
        "RelatedPerson": {"patient": to},
        "Subscription": {
            "status": "requested",
            "reason": mark,
            "criteria": "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Task",
            "channel": {"type": "rest-hook", "endpoint": "https://hooks.example.org/news"},
        },
    }
    identifier: Any = [{"system": "urn:oid:2.999.7", "value": f"{mark}-{kind}"}]
    if kind == "QuestionnaireResponse":
        identifier = identifier[0]
    made = {"resourceType": kind, **own[kind]}
    return made if kind in ("Provenance", "Subscription") else made | {"identifier": identifier}


def request(subject: str, mark: str) -> Json:
    """A ServiceRequest that carries a mark."""
    return people.request(subject, f"{mark}-ServiceRequest")


def task(focus: str, subject: str, mark: str, owner: str) -> Json:
    """A Task for an organization, by the name that it is registered with."""
    return people.task(
        focus,
        subject,
        identifier=[{"system": "urn:oid:2.999.7", "value": f"{mark}-Task"}],
        owner={"identifier": {"system": "urn:oid:2.999.8", "value": owner}},
    )
