"""A thread that looks whether the event loop still turns, who holds it, and how much memory grows.

`adapter.exchange.watch` holds to their time the calls that the core makes into a plugin. What a
plugin starts itself (a task, a callback of a listener) runs outside of those. When the loop has
stood still for too long, this thread reads where the main thread is, names the plugin whose code
that is, and sends the main thread a signal that ends that code, and no other, with `Blocked`.

What it cannot do: end code that never comes back to the interpreter (a loop in C). Then the log
names the plugin, and only a restart helps; nothing that was acknowledged is lost by one.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import structlog

from adapter.exchange import watch
from adapter.exchange.owners import Owners, place
from adapter.exchange.watch import Blocked
from adapter.exchange.weight import resident_bytes, weigh
from adapter.plugin.errors import PluginError

LOOK_SECONDS = 0.25
GROWN_BYTES = 64 * 1024 * 1024
MIB = 1024 * 1024
Told = Callable[[str, PluginError, bool], None]


class Watchdog:
    """Looks after one event loop, in the main thread of the process.

    Args:
        owners: whose code is whose.
        told: called in the loop with a plugin, what it did, and whether it must be let go.
        roots: the objects that a plugin's own memory hangs on, beside its modules.
        memory_bytes: how much a plugin may hold.
    """

    def __init__(
        self,
        owners: Owners,
        told: Told,
        *,
        roots: Callable[[str], list[Any]],
        memory_bytes: int,
    ) -> None:
        self._owners = owners
        self._told = told
        self._roots = roots
        self._most = memory_bytes
        self._weighed_at = resident_bytes()
        self._beats = 0
        self._ended: list[str] = []
        self._over = threading.Event()
        self._before: Any = None
        self._thread: threading.Thread | None = None
        self._log = structlog.get_logger("watchdog")

    def start(self) -> None:
        """Begin to look; does nothing outside the main thread, where no signal can be caught."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._loop = asyncio.get_running_loop()
        self._before = signal.signal(signal.SIGALRM, self._end_plugin)
        self._beat()
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join(5)
            signal.signal(signal.SIGALRM, self._before)
            self._thread = None

    def _beat(self) -> None:
        """Runs in the loop: it still turns, and whoever was ended is told of."""
        self._beats += 1
        ended, self._ended = self._ended, []
        for plugin in ended:
            self._told(plugin, _blocks(plugin), False)
        if not self._over.is_set():
            self._loop.call_later(LOOK_SECONDS / 2, self._beat)

    def _look(self) -> None:
        """Runs in the thread. Looks are counted, not seconds: a machine that slept is no fault."""
        still, seen = 0, -1
        while not self._over.wait(LOOK_SECONDS):
            still = still + 1 if self._beats == seen else 0
            seen = self._beats
            if still and still % self._patience() == 0:
                self._held()
            if resident_bytes() - self._weighed_at > GROWN_BYTES:
                self._weigh_all()

    def _patience(self) -> int:
        """How many looks the loop may stand still: a little longer than watched calls may."""
        return max(int((watch.STRETCH_SECONDS + 1) / LOOK_SECONDS), 2)

    def _held(self) -> None:
        frame = sys._current_frames().get(threading.main_thread().ident or 0)
        plugin = self._owners.of(frame)
        where = place(frame) if frame else ""
        self._log.error("loop.held", plugin=plugin, place=where)
        if plugin is not None:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    def _end_plugin(self, number: int, frame: FrameType | None) -> None:
        """Runs in the main thread: it may have gone on since the thread looked."""
        plugin = self._owners.of(frame)
        if plugin is not None:
            self._ended.append(plugin)
            raise Blocked

    def _weigh_all(self) -> None:
        for plugin in self._owners.names:
            held = weigh(self._roots(plugin), self._owners.packages(plugin))
            if held > self._most:
                self._log.error("plugin.memory", plugin=plugin, mib=held // MIB)
                fault = _heavy(plugin, held, self._most)
                self._loop.call_soon_threadsafe(self._told, plugin, fault, True)
        self._weighed_at = resident_bytes()


def _blocks(plugin: str) -> PluginError:
    return PluginError(
        "plugin.blocks",
        f"the plugin {plugin} held up everything and was ended",
        fix="Report it to the plugin's maker: it must await, or use context.offload.",
    )


def _heavy(plugin: str, held: int, most: int) -> PluginError:
    return PluginError(
        "plugin.memory",
        f"the plugin {plugin} held {held // MIB} MiB of memory, more than {most // MIB}",
        fix="Report it to the plugin's maker, and restart; or raise memory_mib in [plugins].",
    )
