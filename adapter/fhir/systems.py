"""Other names under which peers send a code or identifier system, and the one we use.

Sources: R4's terminology moved to http://terminology.hl7.org (https://hl7.org/fhir/R4/terminologies-
systems.html); the Ontario health-card aliases were seen in live eReferral payloads and in OSCAR's
source. Quebec's alternative is documented by Clic Sante.
"""

from __future__ import annotations

import re

ONTARIO_HEALTH_CARD = "https://fhir.infoway-inforoute.ca/NamingSystem/ca-on-patient-hcn"
QUEBEC_HEALTH_CARD = "https://fhir.infoway-inforoute.ca/NamingSystem/ca-qc-patient-healthcare-id"

ALIASES = {
    "http://ehealthontario.ca/fhir/NamingSystem/ca-on-patient-hcn": ONTARIO_HEALTH_CARD,
    "https://ehealthontario.ca/API/FHIR/NamingSystem/ca-on-patient-hcn": ONTARIO_HEALTH_CARD,
    "http://ehealthontario.ca/fhir/NamingSystem/id-on-patient-hcn": ONTARIO_HEALTH_CARD,
    "http://ehealthontario.ca/fhir/NamingSystem/id-registration-and-claims-branch-def-source": (
        ONTARIO_HEALTH_CARD
    ),
    "http://documentation.clicsante.ca/fhir/base/nam": QUEBEC_HEALTH_CARD,
}
_OLD_V2 = re.compile(r"https?://(?:www\.)?hl7\.org/fhir/v2/(\d{4})/?")
_OLD_V3 = re.compile(r"https?://(?:www\.)?hl7\.org/fhir/v3/([A-Za-z][A-Za-z0-9]*)/?")


def usual_system(system: str) -> str:
    """Return the system that an alias stands for, or the system itself."""
    if (known := ALIASES.get(system)) is not None:
        return known
    if match := _OLD_V2.fullmatch(system):
        return f"http://terminology.hl7.org/CodeSystem/v2-{match.group(1)}"
    if match := _OLD_V3.fullmatch(system):
        return f"http://terminology.hl7.org/CodeSystem/v3-{match.group(1)}"
    return system
