"""Measure the adapter against what this machine could do at best, and print a table.

Each round measures every row in turn, in slices of which each has its limit measured before and
after it: a machine that is slow for a second is slow for both. The ratio of a round is the median
of its slices; a row's ratio is the median over the rounds, with the range. Writes build/bench.json.

    make bench                    every row, in about five minutes
    make bench ARGS=--rounds=9    more rounds
    make bench ARGS=--quick       without the rows that take minutes
    make bench ARGS="--only RRI"  the rows whose words hold this; for trying things out
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sqlite3
import statistics
import sys
from pathlib import Path
from typing import Any

import api_rows
import mapping_rows
import operations_rows
import orjson
import peer_rows
import replay_rows
import startup_rows
from limits import Limits
from row import LIMITS, Row
from rows import Road

BUILD = Path(__file__).resolve().parent.parent / "build"


SLICES = 8


def measure(rows: list[Row], limits: Limits, rounds: int, scale: float) -> dict[str, Any]:
    """All rounds; seconds of each limit, and ratios of each row."""
    seconds: dict[str, list[float]] = {name: [] for name in LIMITS}
    ratios: dict[str, list[float]] = {row.row: [] for row in rows}
    for number in range(rounds + 1):
        now = {name: limits.typical(name) for name in LIMITS}
        found = {
            row.row: beside(row, limits, scale)
            if row.limit in LIMITS
            else row.measure(max(1, int(row.times * scale)))
            for row in rows
            if not row.unmeasured
        }
        if number == 0:
            continue  # the first round warms everything up
        for name, value in now.items():
            seconds[name].append(value)
        for name, value in found.items():
            ratios[name].append(value)
        print(f"round {number} of {rounds} done", file=sys.stderr, flush=True)
    return {"seconds": seconds, "ratios": ratios}


def beside(row: Row, limits: Limits, scale: float) -> float:
    """The ratio of a row to its limit, slice by slice."""
    groups = max(1, int(row.times * scale / row.together / SLICES))
    before, ratios = limits.typical(row.limit), []
    for _ in range(SLICES):
        spent = row.measure(groups * row.together)
        after = limits.typical(row.limit)
        ratios.append(2 * spent / (before + after))
        before = after
    return statistics.median(ratios)


def report(rows: list[Row], measured: dict[str, Any]) -> dict[str, Any]:
    """The document of build/bench.json. A row that was not measured has no ratio, and says why."""
    limits = {
        f"{name.lower()}_us": round(statistics.median(values) * 1e6, 1)
        for name, values in measured["seconds"].items()
    }
    lines: list[dict[str, Any]] = []
    for row in rows:
        line: dict[str, Any] = {"row": row.row, "goal": row.said}
        ratios = measured["ratios"][row.row]
        if row.unmeasured:
            line |= {"ratio": None, "low": None, "high": None, "met": None, "why": row.unmeasured}
        else:
            median = statistics.median(ratios)
            line |= {
                "ratio": round(median, 2),
                "low": round(min(ratios), 2),
                "high": round(max(ratios), 2),
                "met": row.met(median),
            }
        lines.append(line)
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
    goals = max(len(line["goal"]) for line in document["rows"])
    print(f"{'work':<{width}}  {'goal':<{goals}}  ratio   range")
    for line in document["rows"]:
        start = f"{line['row']:<{width}}  {line['goal']:<{goals}}  "
        if line["ratio"] is None:
            print(f"{start}not measured: {line['why']}")
            continue
        print(
            f"{start}{line['ratio']:<6}  {line['low']} to {line['high']:<8}  "
            f"{'met' if line['met'] else 'NOT MET'}"
        )


def all_rows(road: Road, *, quick: bool) -> list[Row]:
    """Every row, file by file. A file with rows of its own has `rows(road)`."""
    found = [
        Row("REF^I12 to Bundle, durable, one at a time", "FULL", 2.5, road.one_at_a_time, 100),
        Row("the same, 32 in flight, per message", "NORMAL", 5, road.in_flight, 512, together=32),
        Row("read + map + dump alone", "CPU", 7, road.alone, 400),
    ]
    for each in (mapping_rows, startup_rows, peer_rows, api_rows):
        found += each.rows(road)
    line = operations_rows.Line(road)
    found += operations_rows.rows(road, line, quick=quick)
    return found + replay_rows.rows(road, line)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure speed against the machine's limits.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, help="more or less work a round")
    parser.add_argument("--only", help="only rows whose words hold this")
    parser.add_argument("--quick", action="store_true", help="without rows that take minutes")
    given = parser.parse_args()
    folder = BUILD / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    road = Road(folder)
    limits = Limits(road.bundle(), road.message.encode(), folder)
    every = all_rows(road, quick=given.quick)
    rows = [row for row in every if not given.only or given.only in row.row]
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
