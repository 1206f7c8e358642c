"""Any FHIR R4 server as a peer; what is different at a vendor's is a file of quirks."""

from __future__ import annotations

from adapter.plugin import SystemSpec, hookimpl


@hookimpl
def register_systems() -> list[SystemSpec]:
    """The one system; its module is imported when a site uses it."""
    return [
        SystemSpec(
            name="fhir",
            system="adapter_fhir.system:Fhir",
            summary="FHIR R4 servers: referral Tasks in and out (SDOH-CC flows)",
        )
    ]
