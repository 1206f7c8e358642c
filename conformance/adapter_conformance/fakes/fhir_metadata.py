"""The CapabilityStatement of the fake FHIR server, made from its personality."""

from __future__ import annotations

from adapter_conformance.fakes.fhir_asking import Json
from adapter_conformance.fakes.fhir_personality import Personality
from adapter_conformance.fakes.fhir_search import PARAMETERS

KINDS = {name: kind for name, (kind, _) in PARAMETERS.items()}
TOPIC = "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/Task"
TOPICS = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
    "capabilitystatement-subscriptiontopic-canonical"
)


def capability_statement(ways: Personality, base: str) -> Json:
    """What this server says it can do (FHIR R4 5.1)."""
    bundles = [("transaction", ways.transactions), ("batch", ways.batches)]
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-01-15",
        "kind": "instance",
        "software": {"name": ways.title},
        "implementation": {"description": "a fake", "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        **({"patchFormat": ["application/json-patch+json"]} if ways.patch else {}),
        "rest": [
            {
                "mode": "server",
                "resource": [_resource(ways, kind) for kind in ways.served],
                "interaction": [{"code": code} for code, offered in bundles if offered],
            }
        ],
    }


def _resource(ways: Personality, kind: str) -> Json:
    interactions = ways.interactions(kind)
    searchable = ways.searchable.get(kind, tuple(PARAMETERS))
    made: Json = {
        "type": kind,
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned-update" if ways.stale else "no-version",
        "conditionalCreate": ways.conditional_create and "create" in interactions,
        "updateCreate": ways.update_creates,
        "searchParam": [{"name": name, "type": KINDS[name]} for name in searchable],
    }
    if kind == "Task":
        made["searchInclude"] = ["Task:focus", "Task:patient", "Task:owner"]
    if kind == "Subscription" and ways.subscriptions == "backport":
        made["extension"] = [{"url": TOPICS, "valueCanonical": TOPIC}]
    return made
