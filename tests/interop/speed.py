"""How much faster our check of a referral's Bundle is than HAPI's warm validator."""

from __future__ import annotations

import statistics
import time
from typing import Any

import orjson
from hapi_server import HapiServer

from adapter.fhir.checks import check

GOAL = 100
WARM_UP = 15
ROUNDS = 25


def measure(bundle: dict[str, Any], server: HapiServer) -> dict[str, Any]:
    """Return the row of build/interop.json: reading and checking the bytes, against $validate.

    Both are given the same bytes. HAPI's time includes HTTP on loopback, which is under a
    millisecond of it; ours includes reading the JSON.
    """
    text = orjson.dumps(bundle)
    theirs = _median(lambda: server.validate(bundle), WARM_UP, ROUNDS)
    ours = _median(lambda: check(orjson.loads(text)), 200, 2000)
    ratio = theirs / ours
    entries = len(bundle["entry"])
    detail = (
        f"{entries} entries: ours {ours * 1e6:.0f} µs, HAPI warm {theirs * 1e3:.1f} ms:"
        f" {ratio:.0f} times faster (goal {GOAL})"
    )
    met = ratio >= GOAL
    return {
        "check": "speed of the Bundle check against HAPI's warm validator",
        "passed": int(met),
        "failed": int(not met),
        "explained": 0,
        "detail": detail,
        "ratio": round(ratio),
    }


def _median(work: Any, warm_up: int, rounds: int) -> float:
    for _ in range(warm_up):
        work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)
