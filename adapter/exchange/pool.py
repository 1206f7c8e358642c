"""A site's own worker process: what a plugin does there can hurt no other site.

Started when first used, as a fresh interpreter, so that no lock is copied. A worker that dies, or
that is still busy when nobody waits any more, is ended, and the next call gets another. A worker
whose service is gone, however it ended, ends by itself, whatever it was doing.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from adapter.plugin.errors import PluginError

T = TypeVar("T")


def one_worker() -> ProcessPoolExecutor:
    """A pool of one fresh process that does not outlive this one."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=end_with_parent)


def end_with_parent() -> None:
    """Run first in a worker: watch its parent.

    A worker waits for its work at a queue that it could write to itself, and so would never see
    it end.
    """
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(0)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


class SitePool:
    """At most one process."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._pool: ProcessPoolExecutor | None = None

    async def run(self, function: Callable[..., T], *args: Any) -> T:
        """Run a picklable function there.

        Raises:
            PluginError: ``plugin.worker-died``: the process ended. What the function raises is let
                through.
        """
        if self._pool is None:
            self._pool = one_worker()
        pool = self._pool
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, function, *args)
        except BrokenProcessPool as error:
            self._drop(pool)
            raise PluginError(
                "plugin.worker-died",
                f"a worker process of the site {self._site} ended by itself",
                fix="Look whether memory ran out; else report it to the plugin's maker.",
            ) from error
        except asyncio.CancelledError:
            self._drop(pool)
            raise

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._pool is not None:
            self._drop(self._pool)

    def _drop(self, pool: ProcessPoolExecutor) -> None:
        workers = dict(getattr(pool, "_processes", None) or {})
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers.values():
            worker.kill()
        if self._pool is pool:
            self._pool = None
