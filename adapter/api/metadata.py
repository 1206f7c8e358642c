"""The CapabilityStatement, made from the tables that routes and searches read."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from adapter import __version__
from adapter.api.included import INCLUDES, REVINCLUDES
from adapter.api.offered import INTERACTIONS, OPERATIONS, PROCESS_MESSAGE, TYPES
from adapter.api.parameters import PARAMETERS
from adapter.api.terminology import CODE_TABLES
from adapter.exchange.service import Service
from adapter.exchange.subscription_terms import BACKPORT, TOPICS

DEFINED = "http://hl7.org/fhir/SearchParameter/"


SMART = {
    "coding": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/restful-security-service",
            "code": "SMART-on-FHIR",
        }
    ]
}
TOPIC = f"{BACKPORT}/capabilitystatement-subscriptiontopic-canonical"


def metadata_of(service: Service) -> dict[str, Any]:
    """The statement of a running service."""
    return capability_statement(service.base_url(), service.now(), service.config.server.auth)


def capability_statement(base_url: str, now: datetime, auth: str) -> dict[str, Any]:
    """What this server can do (FHIR R4 5.1); `auth` is how it lets clients in."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": now.isoformat(timespec="seconds"),
        "kind": "instance",
        "software": {"name": "Social prescribing adapter", "version": __version__},
        "implementation": {"description": "Social prescribing adapter", "url": f"{base_url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["json", "xml"],
        "patchFormat": [
            "application/json-patch+json",
            "application/fhir+json",
            "application/fhir+xml",
        ],
        "rest": [
            {
                "mode": "server",
                "security": _security(base_url, auth),
                "resource": [*(_resource(name) for name in TYPES), CODE_TABLES],
                "interaction": [{"code": "transaction"}, {"code": "batch"}],
                "operation": [{"name": "process-message", "definition": PROCESS_MESSAGE}],
            }
        ],
    }


def _security(base_url: str, auth: str) -> dict[str, Any]:
    """How to get in, as it is."""
    if auth != "smart":
        said = {"open": "Open to anyone, for trying it out.", "none": "Closed to everyone."}
        return {"cors": False, "description": said[auth]}
    # The extension oauth-uris asks for an authorize address, and Backend Services has none.
    return {
        "cors": False,
        "service": [SMART],
        "description": "SMART Backend Services: client_credentials with private_key_jwt; "
        f"see {base_url}/.well-known/smart-configuration.",
    }


def _resource(name: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": name,
        "interaction": [{"code": code} for code in INTERACTIONS[name]],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": False,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "enforced", "local"],
    }
    if INCLUDES.get(name):
        made["searchInclude"] = list(INCLUDES[name])
    if REVINCLUDES.get(name):
        made["searchRevInclude"] = list(REVINCLUDES[name])
    made["searchParam"] = [
        {"name": param, "type": one.kind} for param, one in PARAMETERS[name].items()
    ]
    if name == "Subscription":
        made["extension"] = [{"url": TOPIC, "valueCanonical": each} for each in TOPICS]
    made["operation"] = [
        {"name": operation, "definition": definition}
        for operation, definition in OPERATIONS[name].items()
    ]
    return made
