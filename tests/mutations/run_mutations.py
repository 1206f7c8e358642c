"""Bend every row of every pack, one at a time, and see that somebody notices.

Each mutant (see row_mutants.py) must be refused by the checker or break a law. One that is not
noticed is a survivor, unless equivalent.toml says why nobody could see the difference. Writes
build/mutations.json; exit code 1 when there are survivors.

    make mutations                                   every mutant of every pack (half an hour)
    make mutations ARGS="--pack hl7v2_ref --kind drop"
    make mutations ARGS="--sample 100 --seed 7"      a hundred of them
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from time import monotonic

sys.path.insert(0, str(Path(__file__).parent))

from mutant_trial import SURVIVED, Trial, equivalents
from row_mutants import KINDS, Mutant, mutants

from adapter.mapping.packs import core_packs

ROOT = Path(__file__).parents[2]
CASES = 60
"""Generated documents for each map: what most mutants need one of."""


def chosen(packs: Sequence[str], kinds: Sequence[str]) -> list[tuple[str, Mutant]]:
    """The mutants of these kinds of these packs."""
    found = []
    for root in sorted(Path(str(each)) for each in core_packs()):
        if root.name in packs:
            found += [(f"{root.name}", each) for each in mutants(root) if each.kind in kinds]
    return found


def judged(pack: str, mine: Sequence[Mutant], cases: int) -> list[str]:
    """The verdict on each of a pack's mutants, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
        trial = Trial(pack, Path(folder), cases)
        healthy = trial.noticed()
        if healthy != SURVIVED:
            raise SystemExit(f"{pack} is not in order before it is bent: {healthy}")
        return [trial.verdict(each) for each in mine]


def verdicts(
    work: Sequence[tuple[str, Mutant]], cases: int, jobs: int
) -> Iterator[tuple[str, Mutant, str]]:
    """Each mutant with its verdict; work is dealt to processes in parts."""
    parts: list[tuple[str, list[Mutant]]] = []
    for pack in dict.fromkeys(pack for pack, _ in work):
        mine = [each for name, each in work if name == pack]
        parts += [(pack, mine[start : start + 60]) for start in range(0, len(mine), 60)]
    with ProcessPoolExecutor(jobs) as pool:
        given = [pool.submit(judged, pack, mine, cases) for pack, mine in parts]
        for (pack, mine), future in zip(parts, given, strict=True):
            for mutant, verdict in zip(mine, future.result(), strict=True):
                yield pack, mutant, verdict
            print(f"{pack}: {len(mine)} more", file=sys.stderr, flush=True)


def main() -> int:
    names = sorted(Path(str(each)).name for each in core_packs())
    parser = argparse.ArgumentParser(description="Bend every row of the mapping packs.")
    parser.add_argument("--pack", action="append", choices=names, help="only this pack")
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this kind of mutant")
    parser.add_argument("--sample", type=int, help="only so many, chosen by --seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=CASES, help="generated documents for each map")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    work = chosen(given.pack or names, given.kind or KINDS)
    if given.sample is not None and given.sample < len(work):
        work = Random(given.seed).sample(work, given.sample)
    excused = equivalents()
    started = monotonic()
    counts: dict[str, Counter[str]] = {}
    how: Counter[str] = Counter()
    survivors = []
    for pack, mutant, verdict in verdicts(work, given.cases, given.jobs):
        file = f"{pack}/{mutant.file}"
        if verdict != SURVIVED:
            word = "caught"
            how[verdict] += 1
        else:
            word = "equivalent" if (file, mutant.was, mutant.now) in excused else "survived"
        if word == "survived":
            survivors.append(f"{pack}/{mutant}")
            print(f"SURVIVED {survivors[-1]}", file=sys.stderr, flush=True)
        counts.setdefault(pack, Counter())[word] += 1
    _report(counts, how, survivors, monotonic() - started)
    return 1 if survivors else 0


def _report(
    counts: dict[str, Counter[str]], how: Counter[str], survivors: list[str], seconds: float
) -> None:
    words = ("caught", "survived", "equivalent")
    total = Counter[str]()
    print(f"{'pack':<14}" + "".join(f"{word:>12}" for word in words))
    for pack, found in sorted(counts.items()):
        total += found
        print(f"{pack:<14}" + "".join(f"{found[word]:>12}" for word in words))
    print(f"{'all':<14}" + "".join(f"{total[word]:>12}" for word in words))
    print("caught by " + ", ".join(f"{name} {count}" for name, count in how.most_common()))
    for each in survivors:
        print(f"SURVIVED {each}")
    build = ROOT / "build"
    build.mkdir(exist_ok=True)
    document = {
        "packs": {pack: {word: found[word] for word in words} for pack, found in counts.items()},
        "caught_by": dict(how),
        "survivors": survivors,
        "seconds": round(seconds, 1),
    }
    (build / "mutations.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(f"{seconds:.0f} s. Written: build/mutations.json")


if __name__ == "__main__":
    sys.exit(main())
