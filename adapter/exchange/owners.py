"""Whose code is running: the plugin that a frame of the interpreter belongs to."""

from __future__ import annotations

from collections.abc import Iterable
from types import FrameType

from adapter.exchange.installed_plugins import LoadedPlugin

_WRITES_ITSELF = frozenset({"adapter", "structlog", "logging"})


class Owners:
    """Plugins by the top-level packages that their code is in."""

    def __init__(self, plugins: Iterable[LoadedPlugin]) -> None:
        self._plugins = {
            package: plugin.name
            for plugin in plugins
            if plugin.state == "enabled"
            for package in plugin.packages
        }

    def of(self, frame: FrameType | None) -> str | None:
        """The plugin of the innermost frame that belongs to one, or None."""
        while frame is not None:
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if package in self._plugins:
                return self._plugins[package]
            frame = frame.f_back
        return None

    def is_of(self, plugin: str, frame: FrameType) -> bool:
        """True if this very frame is a plugin's own code."""
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        return self._plugins.get(package) == plugin

    def writer(self, frame: FrameType | None) -> str | None:
        """The plugin that writes here itself; None where the core or a log writes for it."""
        while frame is not None:
            package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
            if package in _WRITES_ITSELF:
                return None
            if package in self._plugins:
                return self._plugins[package]
            frame = frame.f_back
        return None

    def packages(self, plugin: str) -> frozenset[str]:
        """The top-level packages of a plugin."""
        return frozenset(package for package, name in self._plugins.items() if name == plugin)

    @property
    def names(self) -> tuple[str, ...]:
        """Every plugin that has code here."""
        return tuple(dict.fromkeys(self._plugins.values()))


def place(frame: FrameType) -> str:
    """Where a frame is, for a log: file and line, no values."""
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"
