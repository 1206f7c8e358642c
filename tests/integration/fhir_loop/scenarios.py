"""Loops that close over FHIR servers: each takes the servers it needs and returns what happened."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from people import done, organization, procedure, referral
from stage import Adapter, Server, until

Json = dict[str, Any]


def emr_and_agency(folder: Path, emr: Server, agency: Server, *, flow: str) -> Json:
    """An EMR's server, an agency's server, and the adapter between them (indirect; flow onward)."""
    clinic, us, there = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("clinic", "hub", "agency"))
    for server in (emr, agency):
        for own, name in ((clinic, "Test clinic"), (us, "Test hub"), (there, "Test agency")):
            server.put(organization(own, name))
    sites = {
        "emr": {"role": "requester", "base": emr.base, "us": f"Organization/{us}"},
        "agency": {
            "role": "performer",
            "base": agency.base,
            "us": f"Organization/{us}",
            "them": f"Organization/{there}",
            "flow": flow,
        },
    }
    adapter = Adapter(folder, "Test hub", sites, routed="agency")
    try:
        made = emr.transaction(
            referral(
                uuid.uuid4().hex[:10],
                requester=f"Organization/{clinic}",
                owner=f"Organization/{us}",
            )
        )
        theirs = until(
            "the agency has a Task",
            lambda: agency.found(f"Task?owner=Organization/{there}&_count=5"),
        )[0]
        place = f"Task/{theirs['id']}"
        agency.move(place, "accepted")
        until("the EMR sees accepted", lambda: emr.ask("GET", made["Task"])["status"] == "accepted")
        agency.move(place, "in-progress")
        until(
            "the EMR sees in-progress",
            lambda: emr.ask("GET", made["Task"])["status"] == "in-progress",
        )
        activity = agency.ask("POST", "Procedure", procedure(theirs["for"]["reference"]))
        agency.move(place, "completed", output=[done(f"Procedure/{activity['id']}")])
        until(
            "the EMR sees completed", lambda: emr.ask("GET", made["Task"])["status"] == "completed"
        )
        return {
            "emr": emr.ask("GET", made["Task"]),
            "agency": agency.ask("GET", place),
            "made": made,
            "ours": adapter.fhir.base,
        }
    except AssertionError as error:
        raise AssertionError(f"{error}\n{adapter.log()[-6000:]}") from None
    finally:
        adapter.close()
