"""Closes referral loops with HAPI FHIR in every place: as EMR, as agency, and in the middle.

The adapters are real services in processes of their own; HAPI's part is played on its REST API, as
its staff's own application would. Everyone is invented.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "integration" / "fhir_loop"))

import scenarios
from fhir_stage import Server
from section import Section

Loop = Callable[[Path, Server], Any]
LOOPS: dict[str, Loop] = {
    "indirect: HAPI as EMR and agency, hub between": lambda folder, hapi: scenarios.emr_and_agency(
        folder, hapi, hapi, flow="hosted-there"
    ),
    "indirect, direct onward: Task alone at HAPI, request at the hub": lambda folder, hapi: (
        scenarios.emr_and_agency(folder, hapi, hapi, flow="direct")
    ),
    "light: HAPI in the middle of two adapters": lambda folder, hapi: scenarios.two_adapters(
        folder, hapi, hapi, flow="hosted-there"
    ),
    "direct: Task at HAPI between two adapters, request at the first": lambda folder, hapi: (
        scenarios.two_adapters(folder, hapi, hapi, flow="direct")
    ),
    "declined: the words come back, the request stays active": lambda folder, hapi: (
        scenarios.declined_or_cancelled(folder, hapi, hapi, how="declined")
    ),
    "cancelled at the EMR: the agency's Task ends": lambda folder, hapi: (
        scenarios.declined_or_cancelled(folder, hapi, hapi, how="cancelled")
    ),
    "referred again: after a decline a second Task on the same request": lambda folder, hapi: (
        scenarios.referred_again(folder, hapi, hapi)
    ),
    "claimed: of two adapters one has an open Task": lambda folder, hapi: scenarios.claimed(
        folder, hapi
    ),
}


def run(server_url: str) -> Section:
    """Close every loop; a row of the report for each, and a table on the screen."""
    hapi = Server(server_url)
    section = Section()
    try:
        for name, loop in LOOPS.items():
            started = time.monotonic()
            with tempfile.TemporaryDirectory() as folder:
                try:
                    loop(Path(folder), hapi)
                    fault = ""
                except AssertionError as error:
                    fault = str(error)
            seconds = time.monotonic() - started
            said = fault.splitlines()[0] if fault else f"closed in {seconds:.0f} s"
            row = {
                "check": f"loop, {name}",
                "passed": int(not fault),
                "failed": int(bool(fault)),
                "explained": 0,
                "detail": said,
            }
            section.rows.append(row)
            print(
                f"interop: {'OPEN  ' if fault else 'closed'} {seconds:4.0f} s  {name}", flush=True
            )
            if fault:
                section.failed.append(f"loop, {name}: {said}")
                print(fault, file=sys.stderr, flush=True)
    finally:
        hapi.close()
    return section
