"""Who looked at or changed what, as a FHIR AuditEvent (IHE Basic Audit Log Patterns 1.1)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

_REST = {"system": "http://terminology.hl7.org/CodeSystem/audit-event-type", "code": "rest"}
_SUBTYPES = {"C": "create", "R": "read", "U": "update", "D": "delete"}


def audit_event(
    action: Literal["C", "R", "U", "D"], entity: str, *, actor: str, site: str, at: datetime
) -> dict[str, Any]:
    """One event: an actor of a site did `action` to `entity`, a literal reference.

    It names people by reference only: the audit outlives the person.
    """
    return {
        "resourceType": "AuditEvent",
        "type": _REST,
        "subtype": [
            {"system": "http://hl7.org/fhir/restful-interaction", "code": _SUBTYPES[action]}
        ],
        "action": action,
        "recorded": at.isoformat(timespec="milliseconds"),
        "outcome": "0",
        "agent": [
            {"who": {"display": actor}, "requestor": True},
            {"who": {"display": f"site {site}"}, "requestor": False},
        ],
        "source": {"observer": {"display": "Social prescribing adapter"}},
        "entity": [{"what": {"reference": entity}}],
    }
