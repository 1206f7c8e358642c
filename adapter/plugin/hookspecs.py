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


@hookspec
def register_commands() -> Mapping[str, Callable[..., Any]]:  # type: ignore[empty-body]
    """Commands of the plugin's own: ``adapter PLUGIN COMMAND …``.

    Called when: a person calls ``adapter PLUGIN …`` or `adapter plugins show`; also at load, where
    the result is checked. No configuration and no store are given: a command works on what stands
    on its line, as tools for setting up and looking do.
    Returns: functions by the word that calls them. The docstring is the help; parameters become
    arguments and options as in Typer. An `AdapterError` that it raises is shown with its fix, and
    gives the exit code of its class.
    Example::

        @hookimpl
        def register_commands():
            return {"ping": ping}
    """


@hookspec(firstresult=True)
def resolve_secret(reference: str) -> str | None:
    """Look up a secret that the configuration refers to, for example in a vault.

    Called when: a site is opened, for every setting that reads ``word:…`` and is neither ``env:``
    nor ``file:``; the first plugin that gives a value back is believed. The key of the store is
    read before plugins are, and takes ``env:`` and ``file:`` alone. A plugin that is not enabled
    is never asked.
    Returns: the secret; None if the reference is not of this plugin's kind. A `ConfigError` if it
    is, and there is no such secret.
    Example::

        @hookimpl
        def resolve_secret(reference):
            kind, _, name = reference.partition(":")
            return vault.read(name) if kind == "vault" else None
    """
