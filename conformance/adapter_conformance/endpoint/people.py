"""The invented people, requests and Tasks that the kit writes at an endpoint, all of them tagged.

Shapes are those of SDOH Clinical Care 3.0 (Task for referral management, ServiceRequest), without
claiming its profiles, so that a base R4 server is asked for nothing that it does not know.
"""

from __future__ import annotations

from typing import Any

from adapter_conformance.planted import FAMILY, GIVEN, PHONE

Json = dict[str, Any]
RUNS = "urn:oid:2.999.7.1"
NUMBERS = "urn:oid:2.999.7.2"
TASK_CODE = "http://hl7.org/fhir/CodeSystem/task-code"
SDOH = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
SNOMED = "http://snomed.info/sct"
NAMED = {"clinic": "Synthetic clinic", "agency": "Synthetic agency"}
"""The organizations that the two parties speak for, as an endpoint may have registered them."""
ACT_REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"


class People:
    """Makes resources of one run; `number` counts them."""

    def __init__(self, run: str) -> None:
        self.run = run
        self._last = 0

    def number(self) -> str:
        """A business number that nobody else has."""
        self._last += 1
        return f"{self.run}-{self._last}"

    def _of(self, kind: str, **content: Any) -> Json:
        tags = [
            {"system": RUNS, "code": self.run},
            {"system": ACT_REASON, "code": "HTEST", "display": "test health data"},
        ]
        return {
            "resourceType": kind,
            "meta": {"tag": tags},
            "identifier": [{"system": NUMBERS, "value": self.number()}],
            **content,
        }

    def patient(self) -> Json:
        """A client who does not exist."""
        return self._of(
            "Patient",
            name=[{"family": FAMILY, "given": [GIVEN]}],
            telecom=[{"system": "phone", "value": PHONE}],
            gender="female",
            birthDate="1950-01-01",
        )

    def organization(self, name: str) -> Json:
        """A clinic or an agency."""
        return self._of("Organization", name=NAMED[name], active=True)

    def request(self, subject: str, **more: Any) -> Json:
        """A social prescription."""
        coding = [{"system": SDOH, "code": "social-connection", "display": "Social Connection"}]
        return self._of(
            "ServiceRequest",
            status="active",
            intent="order",
            category=[{"coding": coding}],
            code={"text": "Synthetic walking group"},
            subject={"reference": subject},
            authoredOn="2026-01-15T10:00:00Z",
            **more,
        )

    def task(self, focus: str, subject: str, status: str = "requested", **more: Any) -> Json:
        """A Task that asks to fulfil it."""
        return self._of(
            "Task",
            status=status,
            intent="order",
            priority="routine",
            code={"coding": [{"system": TASK_CODE, "code": "fulfill"}]},
            focus={"reference": focus},
            authoredOn="2026-01-15T10:00:00Z",
            **{"for": {"reference": subject}},
            **more,
        )

    def procedure(self, subject: str, request: str) -> Json:
        """What was done."""
        return self._of(
            "Procedure",
            status="completed",
            basedOn=[{"reference": request}],
            code={"text": "Synthetic walking group"},
            subject={"reference": subject},
            performedDateTime="2026-01-20",
        )


def parties(*, claimed: bool) -> Json:
    """Who asks and who is asked, by name; unclaimed: who may claim it."""
    agency = {"display": NAMED["agency"]}
    asked: Json = {"owner": agency} if claimed else {"restriction": {"recipient": [agency]}}
    return {"requester": {"display": NAMED["clinic"]}, **asked}


def activity(reference: str) -> Json:
    """An output: the activity that came of it."""
    return {"type": _resulting(), "valueReference": {"reference": reference}}


def coded_activity() -> Json:
    """An output: the activity as a code."""
    coding = [{"system": SNOMED, "code": "710824005", "display": "Assessment of health status"}]
    return {"type": _resulting(), "valueCodeableConcept": {"coding": coding}}


def _resulting() -> Json:
    return {"coding": [{"system": SDOH, "code": "resulting-activity"}]}


def because(status: str) -> Json:
    """Why, for the statuses that should say so (SDOH-CC 3.0, Task.statusReason)."""
    if status in ("rejected", "cancelled", "on-hold", "failed"):
        return {"statusReason": {"text": "synthetic reason"}}
    return {}
