"""The canonical model: what a social prescription is, whatever format carried it.

Two state objects: a `Referral` is the authorisation, owned by the requester, and projects to FHIR
ServiceRequest; a `Fulfilment` is the execution by one recipient, owned by that recipient, and
projects to FHIR Task (SDOH Clinical Care 3.0, Referral Workflow). A `ReferralEvent` is one message
about them, in either direction.

Everything is a frozen dataclass of plain values. Dates and times are ISO 8601 strings with the
precision that the sender gave (FHIR R4 2.24.0.1: date, dateTime), never padded. Decimals are
strings, so that trailing zeros survive. `adapter.referral.document` turns these into JSON and back;
field names are the paths of the mapping tables.
"""

from __future__ import annotations

from adapter.referral.model.content import (
    Alone,
    AnswerItem,
    Answers,
    Document,
    Need,
    Note,
    Observation,
    Piece,
)
from adapter.referral.model.event import (
    Acknowledgement,
    Endpoint,
    Envelope,
    EventKind,
    ReferralEvent,
)
from adapter.referral.model.fulfilment import (
    Activity,
    Appointment,
    ContactAttempt,
    Fulfilment,
    GiveBack,
    Outcome,
    Progress,
    Reason,
    Session,
    TaskStatus,
)
from adapter.referral.model.people import (
    Address,
    Contact,
    ContactRules,
    HumanName,
    Organization,
    Party,
    Person,
    Practitioner,
    RelatedPerson,
    Telecom,
)
from adapter.referral.model.referral import (
    Consent,
    Priority,
    Referral,
    ReferralStatus,
    Service,
    ShareBack,
)
from adapter.referral.model.values import (
    Attachment,
    Coding,
    Concept,
    Identifier,
    Link,
    Period,
    Quantity,
    Value,
)

__all__ = [
    "Acknowledgement",
    "Activity",
    "Address",
    "Alone",
    "AnswerItem",
    "Answers",
    "Appointment",
    "Attachment",
    "Coding",
    "Concept",
    "Consent",
    "Contact",
    "ContactAttempt",
    "ContactRules",
    "Document",
    "Endpoint",
    "Envelope",
    "EventKind",
    "Fulfilment",
    "GiveBack",
    "HumanName",
    "Identifier",
    "Link",
    "Need",
    "Note",
    "Observation",
    "Organization",
    "Outcome",
    "Party",
    "Period",
    "Person",
    "Piece",
    "Practitioner",
    "Priority",
    "Progress",
    "Quantity",
    "Reason",
    "Referral",
    "ReferralEvent",
    "ReferralStatus",
    "RelatedPerson",
    "Service",
    "Session",
    "ShareBack",
    "TaskStatus",
    "Telecom",
    "Value",
]
