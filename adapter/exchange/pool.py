"""A site's own worker process: what a plugin does there can hurt no other site.

Started when first used, as a fresh interpreter, so that no lock is copied. A worker that dies, or
that is still busy when nobody waits any more, is ended, and the next call gets another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from adapter.plugin.errors import PluginError

T = TypeVar("T")


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
            self._pool = ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))
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
