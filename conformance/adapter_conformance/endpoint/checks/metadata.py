"""What the endpoint says of itself, and whether it is true."""

from __future__ import annotations

from adapter_conformance.endpoint.catalogue import check
from adapter_conformance.endpoint.endpoint import Endpoint
from adapter_conformance.requirement import Failed, NotSupported

SAMPLES = {
    "token": "synthetic-nobody",
    "date": "2026-01-15",
    "reference": "Organization/synthetic-nobody",
    "string": "synthetic",
    "uri": "urn:synthetic:nobody",
}
NEEDED = ("Patient", "ServiceRequest", "Task")


@check("metadata.capability-statement")
async def capability_statement(endpoint: Endpoint) -> None:
    """A CapabilityStatement of a server that speaks R4."""
    found = await endpoint.capability()
    if found["resourceType"] != "CapabilityStatement":
        raise Failed("/metadata gives no CapabilityStatement")
    if not str(found.get("fhirVersion", "")).startswith("4.0"):
        raise Failed("it does not say that it speaks FHIR 4.0")
    if not any(rest.get("mode") == "server" for rest in found.get("rest", ())):
        raise Failed("it says nothing of a server")


@check("metadata.referrals-declared")
async def referrals_declared(endpoint: Endpoint) -> None:
    """The three types of a referral are read and searched, and Tasks are updated."""
    for kind in NEEDED:
        codes = {each["code"] for each in (await endpoint.declared(kind)).get("interaction", ())}
        wanted = {"read", "search-type"} | ({"update"} if kind == "Task" else set())
        if wanted - codes:
            raise Failed(f"{kind}: {', '.join(sorted(wanted - codes))} is not declared")


@check("metadata.searches-true")
async def searches_true(endpoint: Endpoint) -> None:
    """Every declared search parameter of a Task can be asked for."""
    declared = (await endpoint.declared("Task")).get("searchParam", ())
    if not declared:
        raise NotSupported("it declares no search parameter of a Task")
    for each in declared:
        text = SAMPLES.get(each.get("type", ""))
        if text is None or each["name"].startswith("_has"):
            continue
        answer = await endpoint.client.get(f"Task?{each['name']}={text}&_count=1")
        if answer.status != 200:
            raise Failed(f"{each['name']} is declared, and asking for it gives {answer.status}")
