"""What the FHIR API offers: resource types, what may be done with each, and operations.

Routes, searches and /metadata read this table, so that what is claimed is what is done.
"""

from __future__ import annotations

from collections.abc import Mapping

RECORDS = (
    "Appointment",
    "Communication",
    "Condition",
    "Consent",
    "DocumentReference",
    "Goal",
    "Group",
    "HealthcareService",
    "Location",
    "Observation",
    "Organization",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "Questionnaire",
    "QuestionnaireResponse",
    "RelatedPerson",
    "Subscription",
)
"""Types that are checked, stored and linked."""
ROOM = ("ServiceRequest", "Task")
"""Types whose writes are commands to the referral room."""
TYPES = (*RECORDS, *ROOM)

READ = ("read", "vread", "history-instance", "history-type", "search-type")
WRITE = ("create", "update")
INTERACTIONS: Mapping[str, tuple[str, ...]] = {
    name: (*READ, *WRITE, "patch") if name == "Task" else (*READ, *WRITE) for name in TYPES
}

SUBSCRIPTION = {
    "status": "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/"
    "backport-subscription-status",
    "events": "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/"
    "backport-subscription-events",
}
OPERATIONS: Mapping[str, Mapping[str, str]] = {
    name: {
        "validate": "http://hl7.org/fhir/OperationDefinition/Resource-validate",
        **(
            {
                "extract": "http://hl7.org/fhir/uv/sdc/OperationDefinition/"
                "QuestionnaireResponse-extract"
            }
            if name == "QuestionnaireResponse"
            else {}
        ),
        **(
            {"populate": "http://hl7.org/fhir/uv/sdc/OperationDefinition/Questionnaire-populate"}
            if name == "Questionnaire"
            else {}
        ),
        **(SUBSCRIPTION if name == "Subscription" else {}),
    }
    for name in TYPES
}
"""Operations by type: name and definition."""
PROCESS_MESSAGE = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"
