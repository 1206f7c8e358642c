"""`make faults`: break everything that can break, and count what was lost or done twice.

Options (``make faults ARGS='…'``): ``--quick`` takes about two minutes, without it all takes
about 22 on two quiet cores, and twice that on busy ones; ``--only KIND`` (again for more kinds);
``--seed N`` repeats a run; ``--resume`` goes on with a run that was broken off, at the kind that
it was at. Progress and a forecast go to stderr, the rows to build/faults.json as they come: a row
whose kind is not at its end says `"complete": false`. Exit code 1 if anything was lost, duplicated
or not found, or if a recovery took 10 s or more.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import random
import sys
import time
import traceback
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from adapter.cli.logs import configure
from tests.faults.results import Results
from tests.faults.tour import Tour

ROOT = Path(__file__).parents[2]
SECONDS = {
    "audit": 5,
    "backup": 50,
    "canary": 50,
    "clock": 10,
    "database": 330,
    "destination": 60,
    "disk": 110,
    "order": 30,
    "power": 100,
    "load": 400,
    "kill": 460,
}
"""What each kind takes on two quiet cores, from a run: only the forecast rests on it."""
KINDS = tuple(SECONDS)


class Run:
    """Which kinds are to be done, and which were: kept beside the rows, for `--resume`."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.path = arguments.output.with_suffix(".run")
        self.kinds = tuple(arguments.only or KINDS)
        self.scale: Literal["quick", "full"] = "quick" if arguments.quick else "full"
        self.seed: int = arguments.seed
        self.done: list[str] = []

    def resume(self) -> None:
        """Take up the run that was broken off; a new one if there is none."""
        if self.path.exists():
            kept = json.loads(self.path.read_text())
            self.kinds, self.scale = tuple(kept["kinds"]), kept["scale"]
            self.seed, self.done = kept["seed"], kept["done"]

    def keep(self) -> None:
        """Put on the disk how far it is; nothing when all is done."""
        left = [kind for kind in self.kinds if kind not in self.done]
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if left:
            kept = {"kinds": self.kinds, "scale": self.scale, "seed": self.seed, "done": self.done}
            self.path.write_text(json.dumps(kept) + "\n")
        else:
            self.path.unlink(missing_ok=True)


async def tour(run: Run, results: Results) -> None:
    """Every scenario that is left, one after the other."""
    started, forecast = time.monotonic(), 0
    async with AsyncExitStack() as stack:
        given = Tour(results, run.scale, run.seed, stack)
        left = [kind for kind in run.kinds if kind not in run.done]
        for number, kind in enumerate(left, 1):
            began = time.monotonic()
            rest = sum(SECONDS[each] for each in left[number - 1 :])
            pace = (began - started) / forecast if forecast else 1.0
            if run.scale == "full":
                end = datetime.now(UTC).astimezone() + timedelta(seconds=rest * pace)
                given.say(f"{kind}: {number} of {len(left)}; all done at about {end:%H:%M}")
            forecast += SECONDS[kind]
            try:
                await importlib.import_module(f"tests.faults.{kind}").run(given)
            except Exception:  # noqa: BLE001 - the other kinds are done all the same
                given.say(f"{kind}: broke off\n{traceback.format_exc()}")
            else:
                run.done.append(kind)
                results.complete(kind)
                run.keep()
            now = time.monotonic()
            given.say(f"{kind}: done in {now - began:.0f} s, {(now - started) / 60:.1f} min in all")


def main() -> int:
    """Run, print the table, and say by the exit code whether everything held."""
    parser = argparse.ArgumentParser(description=__doc__, prog="make faults")
    parser.add_argument("--quick", action="store_true", help="a sample of about two minutes")
    parser.add_argument("--only", action="append", choices=KINDS, help="one kind of fault")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "faults.json")
    parser.add_argument("--resume", action="store_true", help="go on with a run broken off")
    arguments = parser.parse_args()
    run, results = Run(arguments), Results(arguments.output)
    if arguments.resume:
        run.resume()
        results.take_up(set(run.done))
    run.keep()
    print(f"seed {run.seed}", file=sys.stderr)
    configure(json=True, level="ERROR")  # some services run in this process
    try:
        asyncio.run(tour(run, results))
    finally:
        results.write()
        print(results.table())
        if len(run.done) < len(run.kinds):
            print("not complete: go on with make faults ARGS=--resume", file=sys.stderr)
    return 0 if results.sound and len(run.done) == len(run.kinds) else 1


if __name__ == "__main__":
    sys.exit(main())
