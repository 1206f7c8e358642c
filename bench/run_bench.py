"""Measure the adapter against what this machine could do at best, and print a table.

Each round measures the limits and every row in turn, so that a slow minute of the machine meets
both. A row's ratio is the median over the rounds, with the range. Writes build/bench.json.

    make bench                    the usual run
    make bench ARGS=--rounds=9    more rounds
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from limits import Limits
from rows import Road

BUILD = Path(__file__).resolve().parent.parent / "build"


@dataclass(frozen=True)
class Row:
    """One row of the table: what is done, against which limit, how much is allowed."""

    row: str
    limit: str
    goal: float
    measure: Callable[[int], float]
    times: int


def measure(rows: list[Row], limits: Limits, rounds: int, scale: float) -> dict[str, Any]:
    """All rounds; seconds of each limit, and ratios of each row."""
    seconds: dict[str, list[float]] = {"CPU": [], "NORMAL": [], "FULL": []}
    ratios: dict[str, list[float]] = {row.row: [] for row in rows}
    for number in range(rounds + 1):
        now = {
            "CPU": limits.cpu(int(2000 * scale)),
            "NORMAL": limits.commit("NORMAL", int(400 * scale)),
            "FULL": limits.commit("FULL", int(200 * scale)),
        }
        found = {row.row: row.measure(int(row.times * scale)) / now[row.limit] for row in rows}
        if number == 0:
            continue  # the first round warms everything up
        for name, value in now.items():
            seconds[name].append(value)
        for name, value in found.items():
            ratios[name].append(value)
        print(f"round {number} of {rounds} done", file=sys.stderr, flush=True)
    return {"seconds": seconds, "ratios": ratios}


def report(rows: list[Row], measured: dict[str, Any]) -> dict[str, Any]:
    """The document of build/bench.json."""
    limits = {
        f"{name.lower()}_us": round(statistics.median(values) * 1e6, 1)
        for name, values in measured["seconds"].items()
    }
    lines = []
    for row in rows:
        ratios = measured["ratios"][row.row]
        median = statistics.median(ratios)
        lines.append(
            {
                "row": row.row,
                "goal": f"<= {row.goal:g} x {row.limit}",
                "ratio": round(median, 2),
                "low": round(min(ratios), 2),
                "high": round(max(ratios), 2),
                "met": median <= row.goal,
            }
        )
    return {"limits": limits, "rows": lines, "machine": machine()}


def machine() -> dict[str, Any]:
    """Where this was measured."""
    return {
        "cpus": os.cpu_count(),
        "processor": platform.machine(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": round(os.getloadavg()[0], 1),
    }


def show(document: dict[str, Any]) -> None:
    """The table for people."""
    limits = document["limits"]
    print(
        f"Limits: CPU {limits['cpu_us']} us, NORMAL {limits['normal_us']} us, "
        f"FULL {limits['full_us']} us; load {document['machine']['load']}"
    )
    width = max(len(line["row"]) for line in document["rows"])
    print(f"{'work':<{width}}  {'goal':<16}  ratio   range          ")
    for line in document["rows"]:
        print(
            f"{line['row']:<{width}}  {line['goal']:<16}  {line['ratio']:<6}  "
            f"{line['low']} to {line['high']:<8}  {'met' if line['met'] else 'NOT MET'}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure speed against the machine's limits.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="more or less work a round")
    given = parser.parse_args()
    folder = BUILD / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    road = Road(folder)
    limits = Limits(road.bundle(), road.message.encode(), folder)
    rows = [
        Row("REF^I12 to Bundle, durable, one at a time", "FULL", 2.5, road.one_at_a_time, 100),
        Row("the same, 32 in flight, per message", "NORMAL", 5, road.in_flight, 320),
        Row("read + map + dump alone", "CPU", 7, road.alone, 400),
    ]
    try:
        document = report(rows, measure(rows, limits, max(given.rounds, 5), given.scale))
    finally:
        limits.close()
        road.close()
        shutil.rmtree(folder, ignore_errors=True)
    (BUILD / "bench.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    show(document)
    print("Written: build/bench.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
