"""Task.output as servers write it, and as the mapping tables read it.

SDOH-CC 3.0 (TaskForReferralManagement) has `resulting-activity` with a Procedure or a code, and
`additional-content` with a reference to anything. Servers know others. Here each output is put into
the form that the tables of the dialect sdohcc-3.0 read; what has no form there stays as it is, and
shows in the loss report.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]
Resolve = Callable[[str], Json | None]
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
OWN = "https://social-prescribing-adapter.example/fhir/CodeSystem/social-prescription"
ENROLMENT = frozenset({"enrolled", "not-enrolled", "not-enrolled-on-waitlist"})
ACTIVITY = {"coding": [{"system": GRAVITY, "code": "resulting-activity"}]}
CONTENT = {"coding": [{"system": GRAVITY, "code": "additional-content"}]}


def readable(output: Json, resolve: Resolve) -> tuple[Json, Json | None]:
    """An output in the tables' form, and the resource that had to be made for it, if any.

    `resolve` gives the resource that a reference means, if it came along.
    """
    if any(each.get("system") == OWN for each in codings(output.get("type"))):
        return output, None
    reference = output.get("valueReference")
    if isinstance(reference, dict):
        return _referring(output, reference, resolve)
    concept = output.get("valueCodeableConcept")
    if isinstance(concept, dict):
        made = {"resourceType": "Procedure", "status": "completed", "code": concept}
        return {"type": ACTIVITY}, made
    for name in ("valueString", "valueMarkdown"):
        if isinstance(output.get(name), str):
            return {"type": _own("summary"), "valueString": output[name]}, None
    return output, None


def _referring(output: Json, reference: Json, resolve: Resolve) -> tuple[Json, Json | None]:
    found = resolve(str(reference.get("reference", "")))
    kind = found.get("resourceType") if found else None
    if found is None:
        words = reference.get("display") or _text(output.get("type"))
        made = {"resourceType": "Procedure", "status": "unknown"}
        return {"type": ACTIVITY}, {**made, "code": {"text": words}} if words else made
    if kind == "Procedure":
        return {"type": ACTIVITY, "valueReference": reference}, None
    if kind == "Observation" and _enrolment(found):
        return {"type": {**CONTENT, "text": "Enrollment"}, "valueReference": reference}, None
    if kind in ("Observation", "QuestionnaireResponse"):
        return {"type": CONTENT, "valueReference": reference}, None
    if kind == "DocumentReference":
        return {"type": _own("document"), "valueReference": reference}, None
    if kind == "Appointment":
        return {"type": _own("appointment"), "valueReference": reference}, None
    if kind == "Communication":
        said = [each.get("contentString") for each in found.get("payload") or ()]
        words = " ".join(each for each in said if isinstance(each, str))
        return {"type": _own("summary"), "valueString": words}, None
    return output, None


def _enrolment(observation: Json) -> bool:
    codes = codings(observation.get("valueCodeableConcept"))
    return any(each.get("code") in ENROLMENT for each in codes)


def codings(concept: Any) -> list[Json]:
    """The codings of a CodeableConcept, none of anything else."""
    found = concept.get("coding") if isinstance(concept, dict) else None
    return [each for each in found or () if isinstance(each, dict)]


def _own(code: str) -> Json:
    return {"coding": [{"system": OWN, "code": code}]}


def _text(concept: Any) -> str:
    if not isinstance(concept, dict):
        return ""
    said = concept.get("text") or next((c.get("display") for c in codings(concept)), None)
    return str(said or "")
