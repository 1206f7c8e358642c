"""How much faster our check of a referral's Bundle is than HAPI's warm validator."""

from __future__ import annotations

import statistics
import time
from typing import Any

import orjson
from emitted import referral_bundle
from hapi_server import HapiServer
from section import Section

from adapter.fhir.checks import check

GOAL = 100
WARM_UP = 15
ROUNDS = 25


def measure(server: HapiServer) -> Section:
    """Reading and checking the bytes of a referral's Bundle, against $validate.

    The Bundle is that of the shipped 20-segment REF^I12. Both are given the same bytes. HAPI's time
    includes HTTP on loopback, which is under a millisecond of it; ours includes reading the JSON.
    """
    bundle = referral_bundle()
    text = orjson.dumps(bundle)
    theirs = _median(lambda: server.validate(bundle), WARM_UP, ROUNDS)
    ours = _median(lambda: check(orjson.loads(text)), 200, 2000)
    ratio = theirs / ours
    detail = (
        f"{len(bundle['entry'])} entries: ours {ours * 1e6:.0f} µs, HAPI warm"
        f" {theirs * 1e3:.1f} ms: {ratio:.0f} times faster (goal {GOAL})"
    )
    section = Section()
    if ratio < GOAL:
        section.failed.append(detail)
    section.row(
        "speed of the Bundle check against HAPI's warm validator", int(ratio >= GOAL), detail
    )
    section.rows[-1]["ratio"] = round(ratio)
    return section


def _median(work: Any, warm_up: int, rounds: int) -> float:
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
