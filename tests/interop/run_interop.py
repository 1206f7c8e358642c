"""Holds our FHIR checks against another maker's: HAPI FHIR's R4 validator, on loopback.

Run by `make interop`. Runs the sections below one after the other against one server, prints
agreements and differences, writes build/interop.json, and exits with 1 when something failed or a
difference is not explained in docs/explanation/differences-from-hapi.md. With `--only NAME`, runs
the sections of these names alone and writes no report; with `--serve`, only starts the server and
waits, for looking around.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping

import comparison
import endpoint_mode
import fhir_loops
import speed
from differences import explained
from emitted import emitted
from hapi_server import ROOT, HapiServer, build, say
from section import Section

REPORT = ROOT / "build" / "interop.json"


def responses(server: HapiServer) -> Section:
    """QuestionnaireResponses against their Questionnaires: the cases of the unit tests."""
    inputs = comparison.response_cases(server)
    return comparison.compare("QuestionnaireResponses against their Questionnaires", inputs, server)


def corpus(server: HapiServer) -> Section:
    """The good and bad resources of the unit tests."""
    return comparison.compare("good and bad resources", comparison.corpus(), server)


def own(server: HapiServer) -> Section:
    """What the adapter itself emits: no error at all."""
    inputs = comparison.own(emitted(), server)
    return comparison.compare("what the adapter emits", inputs, server)


def fast(server: HapiServer) -> Section:
    """How much faster our check of a Bundle is than HAPI's, warm."""
    return speed.measure(server)


def endpoint(server: HapiServer) -> Section:
    """The kit's endpoint mode: HAPI as source, target and intermediary of referrals."""
    return endpoint_mode.judge(server.base)


def loops(server: HapiServer) -> Section:
    """Referral loops with HAPI as EMR, as agency, and between two adapters."""
    return fhir_loops.run(server.base)


SECTIONS: Mapping[str, Callable[[HapiServer], Section]] = {
    "responses": responses,
    "corpus": corpus,
    "emitted": own,
    "endpoint": endpoint,
    "loops": loops,
    "speed": fast,
}
"""What is run, in this order. A section is given the running server and returns what came of it."""


def main() -> int:
    options = argparse.ArgumentParser(description="Compare with HAPI FHIR.")
    options.add_argument("--serve", action="store_true", help="only start the server, and wait")
    options.add_argument("--only", action="append", choices=SECTIONS, help="one section alone")
    asked = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends with us
    build()
    with HapiServer() as server:
        if asked.serve:
            say(f"listening on {server.base}; end with Ctrl+C")
            server.process.wait()
            return 0
        comparison.give_definitions(server)
        found = {name: run(name, server) for name in asked.only or SECTIONS}
    problems = [line for each in found.values() for line in each.failed]
    if not asked.only:
        seen = {name for each in found.values() for name in each.seen}
        problems += [
            f"{name}: explained in the table, and no such input"
            for name in sorted(set(explained()) - seen)
        ]
        REPORT.parent.mkdir(exist_ok=True)
        rows = [row for each in found.values() for row in each.rows]
        REPORT.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")
    for problem in problems:
        say(f"NOT EXPLAINED  {problem}")
    for each in found.values():
        for row in each.rows:
            counts = f"{row['passed']} agree, {row['explained']} explained, {row['failed']} not"
            say(f"{row['check']}: {counts}. {row['detail']}")
    if not asked.only:
        say(f"written to {REPORT.relative_to(ROOT)}")
    return 1 if problems else 0


def run(name: str, server: HapiServer) -> Section:
    """Run one section and say how long it took and what it explains."""
    started = time.monotonic()
    section = SECTIONS[name](server)
    say(f"{name}: {time.monotonic() - started:.0f} s")
    for line in section.explained:
        say(f"  explained  {line}")
    for line in section.failed:
        say(f"  NOT EXPLAINED  {line}")
    return section


if __name__ == "__main__":
    sys.exit(main())
