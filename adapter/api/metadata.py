"""The CapabilityStatement, made from what the routes and the search table really do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from adapter import __version__
from adapter.api.search import PARAMETERS, TYPES


def capability_statement(base_url: str, now: datetime) -> dict[str, Any]:
    """What this server can do (FHIR R4 5.1)."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": now.isoformat(timespec="seconds"),
        "kind": "instance",
        "software": {"name": "Social prescribing adapter", "version": __version__},
        "implementation": {"description": "Social prescribing adapter", "url": f"{base_url}/fhir"},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {
                        "type": name,
                        "interaction": [
                            {"code": code}
                            for code in ("read", "vread", "history-instance", "search-type")
                        ],
                        "versioning": "versioned",
                        "searchParam": [
                            {"name": param, "type": kind}
                            for param, kind in PARAMETERS[name].items()
                        ],
                    }
                    for name in TYPES
                ],
            }
        ],
    }
