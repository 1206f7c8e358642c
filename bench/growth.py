"""How much more ten times as many segments cost, over what they cost a linear reader (ADR 0009).

    python bench/growth.py TIMES

Prints our growth, and our growth over that of `json.loads`, which makes the same documents. Ten
of the small are timed as one: a pause of the machine is as likely to fall into them as into the
large one. All take turns. The collector waits meanwhile, as it does while a message is mapped.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from limits import typical
from mapping_rows import LINE, enlarged
from rows import Road


def growth(work: Callable[[bytes], Any], small: bytes, large: bytes) -> float:
    """How many times as long the large takes as the small."""

    def ten(_: int) -> None:
        for _ in range(10):
            work(small)

    return typical(lambda _: work(large), 1) / (typical(ten, 1) / 10)


def of_segments(road: Road, count: int) -> bytes:
    """The shipped message with so many segments."""
    own = road.message.rstrip("\r").count("\r") + 1
    return enlarged(road.message, *(LINE.format(number) for number in range(10, 10 + count - own)))


def main(times: int) -> tuple[float, float]:
    """Our median growth, and that over the one of json.loads."""
    with tempfile.TemporaryDirectory(prefix="adapter-bench-") as folder:
        road = Road(Path(folder))
        try:
            small, large = of_segments(road, 1_000), of_segments(road, 10_000)
            mapping = road.packs.pick("hl7v2", road.hl7v2.parse(small))

            def mapped(raw: bytes) -> Any:
                return mapping.to_right(road.hl7v2.parse(raw), road.settings)

            documents = [orjson.dumps(mapped(raw).document) for raw in (small, large)]
            gc.disable()
            ours, theirs = [], []
            for _ in range(times):
                ours.append(growth(mapped, small, large))
                theirs.append(growth(json.loads, *documents))
        finally:
            gc.enable()
            road.close()
    own = statistics.median(ours)
    return own, own / statistics.median(theirs)


if __name__ == "__main__":
    print(*main(int(sys.argv[1])))
