"""The hooks: what a plugin registers, once, at start, without I/O.

A plugin is a module named by an entry point of the group ``adapter.plugins``. It marks functions
with `hookimpl`; results are checked when they are loaded, and a plugin that fails is named and left
out while the others run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from adapter.plugin.formats import Format
    from adapter.plugin.system import SystemSpec

PROJECT = "adapter"
ENTRY_POINTS = "adapter.plugins"
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_systems() -> Iterable[SystemSpec]:  # type: ignore[empty-body]
    """The systems that this plugin brings.

    Called when: once, when the plugin is loaded; no I/O, no secrets.
    Returns: a `SystemSpec` for each system.
    Example::

        @hookimpl
        def register_systems():
            return [SystemSpec(name="acme", system="adapter_acme.system:Acme", summary="Acme EMR")]
    """


@hookspec
def register_formats() -> Iterable[Format]:  # type: ignore[empty-body]
    """The formats (bytes to tree and back) that this plugin brings.

    Called when: once, when the plugin is loaded.
    Returns: a `Format` for each format; its name is what `--from` and `--to` take.
    Example::

        @hookimpl
        def register_formats():
            return [AcmeFormat()]
    """


@hookspec
def register_functions() -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Pure functions that mapping tables may call by name: the escape hatch.

    Called when: once, when the plugin is loaded.
    Returns: functions by name, ``<plugin>.<function>``.
    Example::

        @hookimpl
        def register_functions():
            return {"acme.room-number": room_number}
    """


@hookspec
def register_mapping_packs() -> Iterable[Traversable]:  # type: ignore[empty-body]
    """The folders of mapping packs that this plugin brings, each with its pack.toml.

    Called when: once, when the plugin is loaded; the packs are read after all plugins.
    Returns: a folder for each pack. A site's own pack of the same name goes before it, the core's
    comes after it.
    Example::

        @hookimpl
        def register_mapping_packs():
            return [importlib.resources.files("adapter_acme") / "mappings" / "acme"]
    """
