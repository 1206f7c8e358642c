"""The basic patterns of IHE ITI BALP 1.1.3, as assertions about one event."""

from __future__ import annotations

from typing import Any

from adapter.fhir.checks import check

DICOM = "http://dicom.nema.org/resources/ontology/DCM"
REST = "http://hl7.org/fhir/restful-interaction"
SUBTYPES = {"C": "create", "R": "read", "U": "update", "D": "delete", "E": "search"}
READS = {"R"}


def problems(event: dict[str, Any]) -> list[str]:
    """What does not fit the pattern of its action; an empty list if it conforms."""
    found = [
        f"{each.expression}: {each.code}"
        for each in check(event)
        if each.severity in ("error", "fatal")
    ]
    action = event.get("action", "")
    found += _if(event["type"]["code"] != "rest", "type is not rest")
    found += _if(
        {"system": REST, "code": SUBTYPES.get(action)}
        not in [{k: s[k] for k in ("system", "code")} for s in event.get("subtype", ())],
        "subtype does not say the action",
    )
    found += _if("outcome" not in event or "recorded" not in event, "no outcome, or no time")
    found += _if("observer" not in event["source"], "no observer")
    client, server = ("110152", "110153") if action in READS else ("110153", "110152")
    for name, code in (("client", client), ("server", server)):
        agents = [each for each in event["agent"] if _codes(each) == {(DICOM, code)}]
        found += _if(len(agents) != 1, f"{len(agents)} {name} agents")
        found += _if(
            any("who" not in each or "address" not in each.get("network", {}) for each in agents),
            f"the {name} has no name or no network",
        )
    found += _if(sum(each["requestor"] for each in event["agent"]) != 1, "not one requestor")
    kinds = [_kind(each) for each in event["entity"]]
    wanted = "query" if action == "E" else "data"
    found += _if(kinds.count(wanted) != 1, f"not one {wanted} entity")
    found += _if(kinds.count("patient") > 1, "several patients")
    found += _if("" in kinds, "an entity of no kind")
    return found


def _if(wrong: bool, what: str) -> list[str]:
    return [what] if wrong else []


def _codes(agent: dict[str, Any]) -> set[tuple[str, str]]:
    return {(each["system"], each["code"]) for each in agent["type"]["coding"]}


def _kind(entity: dict[str, Any]) -> str:
    kind, role = entity["type"]["code"], entity.get("role", {}).get("code")
    if kind == "XrequestId" and entity["what"]["identifier"]["value"]:
        return "transaction"
    if (kind, role) == ("1", "1") and entity["what"]["reference"].startswith("Patient/"):
        return "patient"
    if (kind, role) == ("2", "24") and entity["query"]:
        return "query"
    if (kind, role) == ("2", "4") and entity["what"]["reference"]:
        return "data"
    return ""
