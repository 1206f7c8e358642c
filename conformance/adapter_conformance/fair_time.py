"""Time that this process could use: what others kept it waiting for a processor does not count.

A check is held to seconds so that a plugin that blocks costs its own check alone. On a machine that
is busy with other things an innocent one would be late too; who waits for a lock, a sleep or a peer
is not kept waiting by them. Linux says of every thread how long it stood in the queue for a
processor (`/proc/self/task/*/schedstat`, second number, nanoseconds: Documentation/scheduler/
sched-stats.rst); elsewhere the load average stands in for it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

TASKS = Path("/proc/self/task")
MOST = 6.0
"""How many times as long something may take where only the load average is known."""


class FairClock:
    """Seconds since it was made, less those in which the most delayed thread stood in the queue.

    Ask it often: a thread that ends takes its number with it.
    """

    def __init__(self, tasks: Path = TASKS) -> None:
        self._tasks = tasks
        self._begun = time.monotonic()
        self._queued = queued(tasks)
        self._waited = 0.0

    def elapsed(self) -> float:
        """The seconds so far."""
        wall = time.monotonic() - self._begun
        if not self._queued:
            return wall / min(MOST, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))
        now = queued(self._tasks)
        grown = (now[each] - self._queued.get(each, 0.0) for each in now)
        self._waited += max(grown, default=0.0)
        self._queued = now
        return max(0.0, wall - self._waited)


def queued(tasks: Path = TASKS) -> dict[str, float]:
    """How long each thread of this process stood in the queue, seconds; empty if nobody says."""
    found: dict[str, float] = {}
    try:
        threads = list(tasks.iterdir())
    except OSError:
        return found
    for thread in threads:
        try:
            found[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile, or this kernel does not say
    return found
