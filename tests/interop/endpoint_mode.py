"""The kit's endpoint mode against HAPI FHIR, as intermediary: every requirement of all roles.

HAPI keeps records and knows no rules of referrals; what it fails for that reason stands in
docs/explanation/differences-from-hapi.md as ``endpoint: ID``. Everything else must pass, or not
apply.
"""

from __future__ import annotations

from typing import Any

from differences import explained
from section import Section

from adapter_conformance.endpoint.reach import reach
from adapter_conformance.endpoint.run import examine_endpoint
from adapter_conformance.report import as_document

CHECK = "the endpoint mode of the conformance kit"
MARKERS = ("Planted", "+1 555 0199")


def run(server_url: str) -> list[dict[str, Any]]:
    """The rows of the report."""
    return judge(server_url).rows


def judge(server_url: str) -> Section:
    """Run the kit, and hold each verdict against what is explained."""
    known = explained()
    document = as_document(examine_endpoint(reach(server_url, role="intermediary")))
    section = Section()
    passed, apart = 0, []
    for row in document["requirements"]:
        name = f"endpoint: {row['id']}"
        section.seen.add(name)
        if row["result"] == "pass":
            passed += 1
            if name in known:
                section.failed.append(f"{name}: explained in the table, and HAPI passes")
        elif row["result"] == "not-supported":
            apart.append(row["id"])
        elif row["result"] == "fail" and name in known:
            section.explained.append(f"{name}: {row['detail']}")
        else:
            section.failed.append(f"{name}: {row['result']}: {row['detail']}")
        if row["result"] == "fail" and not row.get("exchanges"):
            section.failed.append(f"{name}: failed, and shows no request and response")
    if any(marker in str(document) for marker in MARKERS):
        section.failed.append("the report holds a planted value")
    level = document["level"] or "no level"
    detail = f"{document['version']}: {level}; not supported: {', '.join(apart) or 'none'}"
    return section.row(CHECK, passed, detail)
