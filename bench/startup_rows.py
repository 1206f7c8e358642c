"""Rows on starting: what a script pays that imports the adapter, and a person who asks for help."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from row import Row
from rows import Road

USUAL = "orjson, sqlite3, json"


def rows(road: Road) -> list[Row]:
    """All rows of this file."""
    return [
        Row("import adapter", f"importing {USUAL}", 2, imported, 7),
        Row("adapter --help", "s", 0.4, helped, 5),
    ]


def imported(times: int) -> float:
    """How many times the usual imports' time ours takes, each in a new process."""
    pairs = [(_import("adapter"), _import(USUAL)) for _ in range(times)]
    ours, theirs = zip(*pairs, strict=True)
    return statistics.median(ours) / statistics.median(theirs)


def helped(times: int) -> float:
    """Seconds of the command, from its start to its end."""
    command = [str(Path(sys.executable).with_name("adapter")), "--help"]
    spent = []
    for _ in range(times):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


def _import(names: str) -> float:
    """Seconds of an import statement in a Python that has imported nothing else."""
    code = f"import time; t = time.perf_counter(); import {names}; print(time.perf_counter() - t)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)
