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


def read_by_operator(about: str, *, what: str, at: datetime) -> dict[str, Any]:
    """An operator took something out of the store with a command: `what`, in words."""
    event = audit_event("R", about, actor="operator", site="command line", at=at)
    event["entity"][0]["description"] = what
    return event
