"""Search parameters: what each type can be searched by.

Names and meanings are those of FHIR R4 3.1.1 and of the capability statements of SDOH Clinical
Care 3.0 (Task, ServiceRequest, Procedure, Consent). The store narrows a search by what it keeps in
columns and keyed hashes; `comparisons` decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Json = dict[str, Any]
Kind = Literal["token", "reference", "date", "uri", "string"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One search parameter: its kind, where its values stand, and what it may point to.

    `column` and `key` are what the store can narrow by: a plain column, or a keyed hash.
    """

    kind: Kind
    paths: tuple[str, ...]
    column: str = ""
    key: str = ""
    targets: tuple[str, ...] = ()
    modifiers: tuple[str, ...] = ("missing",)


def _token(*paths: str, column: str = "", key: str = "") -> Parameter:
    return Parameter("token", paths, column, key, modifiers=("missing", "not"))


def _reference(*paths: str, key: str = "", column: str = "", to: str = "") -> Parameter:
    targets = tuple(to.split())
    return Parameter("reference", paths, column, key, targets, ("missing", "identifier", *targets))


def _date(*paths: str) -> Parameter:
    return Parameter("date", paths)


def _string(*paths: str) -> Parameter:
    return Parameter("string", paths, modifiers=("missing", "exact", "contains"))


PARTIES = "PractitionerRole Organization Practitioner Patient RelatedPerson"
_EVERY: Mapping[str, Parameter] = {
    "_id": _token("id"),
    "_lastUpdated": _date("meta.lastUpdated"),
    "_profile": Parameter("uri", ("meta.profile",)),
    "_tag": _token("meta.tag"),
    "_security": _token("meta.security"),
}
_IDENTIFIER = {"identifier": _token("identifier", key="identifier")}
_STATUS = {"status": _token("status", column="status")}
_CODE = {"code": _token("code", column="code")}
_CATEGORY = {"category": _token("category")}
_SUBJECT = {
    "patient": _reference("subject", column="subject", to="Patient"),
    "subject": _reference("subject", column="subject", to="Patient Group"),
}
_PATIENT = {"patient": _reference("patient", column="subject", to="Patient")}
_BASED_ON = {"based-on": _reference("basedOn", key="based-on", to="ServiceRequest")}

_OF_TYPE: Mapping[str, Mapping[str, Parameter]] = {
    "Task": {
        **_IDENTIFIER,
        **_STATUS,
        **_CODE,
        "patient": _reference("for", column="subject", to="Patient"),
        "subject": _reference("for", column="subject", to="Patient Group"),
        "owner": _reference("owner", key="owner", to=PARTIES),
        "requester": _reference("requester", key="requester", to=PARTIES),
        "focus": _reference("focus", key="focus", to="ServiceRequest"),
        "based-on": _reference("basedOn", key="based-on", to="ServiceRequest"),
        "part-of": _reference("partOf", key="part-of", to="Task"),
        "output": _reference("output.valueReference", to="Procedure Observation"),
        "intent": _token("intent"),
        "priority": _token("priority"),
        "business-status": _token("businessStatus"),
        "performer": _token("performerType"),
        "group-identifier": _token("groupIdentifier"),
        "authored-on": _date("authoredOn"),
        "modified": _date("lastModified"),
        "period": _date("executionPeriod"),
    },
    "ServiceRequest": {
        **_IDENTIFIER,
        **_STATUS,
        **_CODE,
        **_CATEGORY,
        **_SUBJECT,
        **_BASED_ON,
        "intent": _token("intent"),
        "priority": _token("priority"),
        "requester": _reference("requester", key="requester", to=PARTIES),
        "performer": _reference("performer", key="performer", to=PARTIES),
        "requisition": _token("requisition", key="requisition"),
        "authored": _date("authoredOn"),
        "occurrence": _date("occurrenceDateTime", "occurrencePeriod"),
        "supporting-info": _reference("supportingInfo", to="Consent Observation"),
    },
    "Procedure": {
        **_IDENTIFIER,
        **_STATUS,
        **_CODE,
        **_CATEGORY,
        **_SUBJECT,
        **_BASED_ON,
        "performer": _reference("performer.actor", to=PARTIES),
        "date": _date("performedDateTime", "performedPeriod"),
    },
    "Consent": {
        **_IDENTIFIER,
        **_STATUS,
        **_CATEGORY,
        **_PATIENT,
        "date": _date("dateTime"),
        "source-reference": _reference("sourceReference", to="DocumentReference"),
    },
    "Observation": {
        **_IDENTIFIER,
        **_STATUS,
        **_CODE,
        **_CATEGORY,
        **_SUBJECT,
        "based-on": _reference("basedOn", to="ServiceRequest"),
        "date": _date("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
    },
    "Condition": {
        **_IDENTIFIER,
        **_CODE,
        **_CATEGORY,
        **_SUBJECT,
        "clinical-status": _token("clinicalStatus"),
    },
    "Goal": {
        **_IDENTIFIER,
        **_CATEGORY,
        **_SUBJECT,
        "lifecycle-status": _token("lifecycleStatus"),
        "start-date": _date("startDate"),
    },
    "DocumentReference": {
        **_IDENTIFIER,
        **_STATUS,
        **_CATEGORY,
        **_SUBJECT,
        "type": _token("type"),
    },
    "QuestionnaireResponse": {
        **_IDENTIFIER,
        **_STATUS,
        **_SUBJECT,
        **_BASED_ON,
        "questionnaire": Parameter("uri", ("questionnaire",), key="questionnaire"),
    },
    "Questionnaire": {
        **_IDENTIFIER,
        **_STATUS,
        "url": Parameter("uri", ("url",), key="url"),
        "name": _string("name"),
        "title": _string("title"),
        "version": _token("version"),
    },
    "Patient": {**_IDENTIFIER, "birthdate": _date("birthDate"), "gender": _token("gender")},
    "RelatedPerson": {**_IDENTIFIER, **_PATIENT},
    "Practitioner": {**_IDENTIFIER},
    "PractitionerRole": {
        **_IDENTIFIER,
        "practitioner": _reference("practitioner", key="practitioner", to="Practitioner"),
        "organization": _reference("organization", key="organization", to="Organization"),
    },
    "Organization": {
        **_IDENTIFIER,
        "active": _token("active"),
        "type": _token("type"),
        "name": _string("name", "alias"),
        "partof": _reference("partOf", to="Organization"),
    },
    "HealthcareService": {
        **_IDENTIFIER,
        "active": _token("active"),
        "name": _string("name"),
        "organization": _reference("providedBy", key="organization", to="Organization"),
        "program": _token("program"),
        "service-category": _token("category"),
        "service-type": _token("type"),
    },
    "Location": {**_IDENTIFIER, **_STATUS, "name": _string("name", "alias")},
    "Group": {**_IDENTIFIER, **_CODE},
    "Appointment": {
        **_IDENTIFIER,
        **_STATUS,
        "date": _date("start"),
        "patient": _reference("participant.actor", to="Patient"),
    },
    "Communication": {**_IDENTIFIER, **_STATUS, **_SUBJECT, **_BASED_ON},
    "Subscription": {
        **_STATUS,
        "criteria": _token("criteria"),
        "type": _token("channel.type"),
        "url": Parameter("uri", ("channel.endpoint",)),
    },
    "Provenance": {"target": _reference("target", to="Observation Task ServiceRequest")},
}
PARAMETERS: Mapping[str, Mapping[str, Parameter]] = {
    name: {**_EVERY, **own} for name, own in _OF_TYPE.items()
}
"""By type and name: everything that can be searched by."""
