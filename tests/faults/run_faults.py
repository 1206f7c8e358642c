"""`make faults`: break everything that can break, and count what was lost or done twice.

Options (``make faults ARGS='…'``): ``--quick`` takes about two minutes, without it all takes up to
an hour; ``--only KIND`` (again for more kinds); ``--seed N`` repeats a run. Progress goes to
stderr, the rows to build/faults.json as they come. Exit code 1 if anything was lost, duplicated or
not found, or if a recovery took 10 s or more.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import random
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from adapter.cli.logs import configure
from tests.faults.results import Results
from tests.faults.tour import Tour

ROOT = Path(__file__).parents[2]
KINDS = (
    "audit",
    "backup",
    "canary",
    "clock",
    "database",
    "destination",
    "disk",
    "order",
    "load",
    "kill",
)


async def tour(arguments: argparse.Namespace, results: Results) -> None:
    """Every scenario that was asked for, one after the other."""
    scale = "quick" if arguments.quick else "full"
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        given = Tour(results, scale, arguments.seed, stack)
        for kind in arguments.only or KINDS:
            began = time.monotonic()
            await importlib.import_module(f"tests.faults.{kind}").run(given)
            results.write()
            now = time.monotonic()
            given.say(f"{kind}: done in {now - began:.0f} s, {(now - started) / 60:.1f} min in all")


def main() -> int:
    """Run, print the table, and say by the exit code whether everything held."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make faults")
    parser.add_argument("--quick", action="store_true", help="a sample of about two minutes")
    parser.add_argument("--only", action="append", choices=KINDS, help="one kind of fault")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "faults.json")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", file=sys.stderr)
    configure(json=True, level="ERROR")  # some services run in this process
    results = Results(arguments.output)
    try:
        asyncio.run(tour(arguments, results))
    finally:
        results.write()
        print(results.table())
    return 0 if results.sound else 1


if __name__ == "__main__":
    sys.exit(main())
