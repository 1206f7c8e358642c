"""What guards a running service against its plugins: a watchdog, and ears for what they print.

How each kind of misbehaviour is contained, and what cannot be, is in
docs/explanation/plugins-that-misbehave.md.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

from adapter.exchange.fleet import Fleet
from adapter.exchange.installed_plugins import Plugins
from adapter.exchange.owners import Owners
from adapter.exchange.prints import guarded_streams
from adapter.exchange.watchdog import MIB, Watchdog
from adapter.plugin.errors import PluginError


class PluginGuard:
    """On from the start of a service to its end."""

    def __init__(self, plugins: Plugins, fleet: Fleet, *, memory_mib: int) -> None:
        self._fleet = fleet
        self._owners = Owners(plugins.loaded)
        self._blaming: set[asyncio.Task[None]] = set()
        self._streams = ExitStack()
        self._watchdog = Watchdog(
            self._owners, self._told, roots=fleet.roots, memory_bytes=memory_mib * MIB
        )

    def start(self) -> None:
        """Begin."""
        self._streams.enter_context(guarded_streams(self._owners))
        self._watchdog.start()

    def stop(self) -> None:
        """End."""
        self._watchdog.stop()
        self._streams.close()

    def _told(self, plugin: str, fault: PluginError, dismiss: bool) -> None:
        if dismiss:
            self._cancel_tasks(plugin)
        task = asyncio.create_task(
            self._fleet.blame(plugin, fault, dismiss=dismiss), name=f"blame {plugin}"
        )
        self._blaming.add(task)
        task.add_done_callback(self._blaming.discard)

    def _cancel_tasks(self, plugin: str) -> None:
        """End what the plugin started itself: nobody else would."""
        for task in asyncio.all_tasks():
            frame = getattr(task.get_coro(), "cr_frame", None)
            if frame is not None and self._owners.is_of(plugin, frame):
                task.cancel()
