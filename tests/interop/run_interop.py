"""Holds our FHIR checks against another maker's: HAPI FHIR's R4 validator, on loopback.

Run by `make interop`. Prints agreements and differences, writes build/interop.json, and exits with
1 when a difference is not explained in docs/explanation/differences-from-hapi.md. With `--serve`,
only starts the server and waits, for looking around.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import comparison
import speed
from differences import explained
from emitted import emitted
from hapi_server import ROOT, HapiServer, build, say

REPORT = ROOT / "build" / "interop.json"


def main() -> int:
    build()
    with HapiServer() as server:
        if "--serve" in sys.argv[1:]:
            say(f"listening on {server.base}; end with Ctrl+C")
            server.process.wait()
            return 0
        rows, problems = run(server)
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")
    _print(rows, problems)
    return 1 if problems else 0


def run(server: HapiServer) -> tuple[list[dict[str, Any]], list[str]]:
    """Run every comparison; return the rows of the report, and what is not explained."""
    known = explained()
    ours = emitted()
    comparison.give_definitions(server)
    sets = [
        ("QuestionnaireResponses against their Questionnaires", comparison.response_cases(server)),
        ("good and bad resources", comparison.corpus()),
        ("what the adapter emits", comparison.own(ours, server)),
    ]
    rows, problems, unused = [], [], set(known)
    for name, inputs in sets:
        started = time.monotonic()
        result = comparison.compare(name, inputs, server, known)
        say(f"{name}: {len(inputs)} compared in {time.monotonic() - started:.0f} s")
        for line in result.explained:
            say(f"  explained  {line}")
        problems += result.failed
        unused -= {each.name for each in inputs}
        rows.append(result.row)
    problems += [f"{name}: explained in the table, and no such input" for name in sorted(unused)]
    bundles = [r for name, r in ours if "ref-i12-20-segments" in name]
    fastest = speed.measure(bundles[0] if bundles else _bundle(), server)
    if fastest["failed"]:
        problems.append(fastest["detail"])
    return [*rows, fastest], problems


def _bundle() -> dict[str, Any]:
    file = Path(__file__).with_name("referral_bundle.json")
    content: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return content


def _print(rows: list[dict[str, Any]], problems: list[str]) -> None:
    for problem in problems:
        say(f"NOT EXPLAINED  {problem}")
    for row in rows:
        counts = f"{row['passed']} agree, {row['explained']} explained, {row['failed']} not"
        say(f"{row['check']}: {counts}. {row['detail']}")
    say(f"written to {REPORT.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main())
