"""Finding and loading plugins: each on its own, so that one broken plugin spoils nothing.

Entry points of the group ``adapter.plugins`` are found without importing them; only those on the
allow-list are imported. Hooks are called per plugin, their results are checked here, and whatever
fails is kept with its distribution, version and reason.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Literal

import pluggy

from adapter.plugin import hookspecs
from adapter.plugin.errors import PluginError
from adapter.plugin.formats import Format
from adapter.plugin.system import System, SystemSpec

State = Literal["enabled", "installed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """One plugin as it stands: enabled, installed only, or failed and why."""

    name: str
    version: str
    distribution: str
    state: State
    reason: str = ""
    systems: tuple[SystemSpec, ...] = ()
    formats: tuple[Format, ...] = ()
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """All installed plugins, and what the enabled ones bring."""

    loaded: tuple[LoadedPlugin, ...]
    systems: Mapping[str, SystemSpec]
    formats: Mapping[str, Format]
    functions: Mapping[str, Callable[..., Any]]

    def system(self, name: str) -> type[System]:
        """The class of a system.

        Raises:
            PluginError: no enabled plugin brings it, or its class cannot be imported.
        """
        spec = self.systems.get(name)
        if spec is None:
            raise PluginError("plugin.no-system", *self._why_missing(name))
        if not isinstance(spec.system, str):
            return spec.system
        module, _, attribute = spec.system.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except Exception as error:  # a plugin may raise anything while it is imported
            raise PluginError(
                "plugin.import-failed",
                f"the system {name} cannot be imported: {type(error).__name__}",
                fix="Reinstall the plugin, or ask its maker.",
                detail=str(error),
            ) from error
        if not (isinstance(found, type) and issubclass(found, System)):
            raise PluginError(
                "plugin.not-a-system", f"{spec.system} is no subclass of adapter.plugin.System"
            )
        return found

    def _why_missing(self, name: str) -> tuple[str, ...]:
        for plugin in self.loaded:
            if plugin.state == "failed" and plugin.name == name:
                return (f"the plugin {name} failed: {plugin.reason}",)
            if plugin.state == "installed" and plugin.name == name:
                return (
                    f"the plugin {name} is installed, but not enabled; "
                    f'add "{name}" to enabled in [plugins]',
                )
        known = ", ".join(sorted(self.systems)) or "none"
        return (f"no enabled plugin brings a system {name!r}; there are: {known}",)


def load_plugins(enabled: Collection[str] | None) -> Plugins:
    """Load the enabled plugins; None loads every installed one (for commands that use no store)."""
    loaded: list[LoadedPlugin] = []
    systems: dict[str, SystemSpec] = {}
    formats: dict[str, Format] = {}
    functions: dict[str, Callable[..., Any]] = {}
    for point in sorted(
        metadata.entry_points(group=hookspecs.ENTRY_POINTS), key=lambda each: each.name
    ):
        if enabled is not None and point.name not in enabled:
            loaded.append(_described(point, "installed"))
            continue
        plugin = _load(point, systems, formats, functions)
        loaded.append(plugin)
        if plugin.state == "enabled":
            systems |= {each.name: each for each in plugin.systems}
            formats |= {each.name: each for each in plugin.formats}
            functions |= plugin.functions
    missing = set(enabled or ()) - {each.name for each in loaded}
    loaded += [
        LoadedPlugin(
            name=name,
            version="",
            distribution="",
            state="failed",
            reason="it is enabled, but not installed",
        )
        for name in sorted(missing)
    ]
    return Plugins(loaded=tuple(loaded), systems=systems, formats=formats, functions=functions)


def _described(point: metadata.EntryPoint, state: State, **more: Any) -> LoadedPlugin:
    return LoadedPlugin(
        name=point.name,
        version=point.dist.version if point.dist else "",
        distribution=point.dist.name if point.dist else "",
        state=state,
        **more,
    )


def _load(
    point: metadata.EntryPoint,
    systems: Mapping[str, SystemSpec],
    formats: Mapping[str, Format],
    functions: Mapping[str, Callable[..., Any]],
) -> LoadedPlugin:
    """One plugin, by a manager of its own: pluggy would let one bad plugin spoil a shared call."""
    try:
        manager = pluggy.PluginManager(hookspecs.PROJECT)
        manager.add_hookspecs(hookspecs)
        manager.register(point.load(), name=point.name)
        manager.check_pending()
        brought_systems = _items(manager.hook.register_systems(), SystemSpec)
        brought_formats = _formats(manager.hook.register_formats())
        brought_functions = _functions(manager.hook.register_functions())
        _refuse_newer(brought_systems)
        _refuse_doubles("system", [each.name for each in brought_systems], systems)
        _refuse_doubles("format", [each.name for each in brought_formats], formats)
        _refuse_doubles("function", list(brought_functions), functions)
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises, the others run on
        reason = error.message if isinstance(error, PluginError) else f"{type(error).__name__}"
        if isinstance(error, pluggy.PluginValidationError | ImportError):
            reason = f"{type(error).__name__}: {error}"
        return _described(point, "failed", reason=reason)
    return _described(
        point,
        "enabled",
        systems=brought_systems,
        formats=brought_formats,
        functions=brought_functions,
    )


def _items(results: Iterable[Any], kind: type[Any]) -> tuple[Any, ...]:
    items: list[Any] = []
    for result in results:
        if isinstance(result, str | bytes | Mapping) or not isinstance(result, Iterable):
            raise PluginError("plugin.wrong-type", f"a hook did not return a list of {kind}")
        for item in result:
            if not isinstance(item, kind):
                raise PluginError(
                    "plugin.wrong-type",
                    f"a hook returned a {type(item).__name__}, not a {kind.__name__}",
                )
            items.append(item)
    return tuple(items)


def _formats(results: Iterable[Any]) -> tuple[Format, ...]:
    """Formats are known by what they do: a plugin need not inherit from anything of ours."""
    items = _items(results, object)
    for each in items:
        missing = [name for name in _FORMAT if not hasattr(each, name)]
        if missing:
            raise PluginError(
                "plugin.wrong-type",
                f"the format {type(each).__name__} has no {missing[0]}",
            )
    return items


_FORMAT = ("name", "split", "parse", "dump", "kind", "leaves", "notation")


def _functions(results: Iterable[Any]) -> dict[str, Callable[..., Any]]:
    functions: dict[str, Callable[..., Any]] = {}
    for result in results:
        if not isinstance(result, Mapping) or not all(callable(each) for each in result.values()):
            raise PluginError("plugin.wrong-type", "register_functions returns functions by name")
        functions |= result
    return functions


def _refuse_newer(specs: Iterable[SystemSpec]) -> None:
    for spec in specs:
        if not hookspecs.API_VERSION - 1 <= spec.api_version <= hookspecs.API_VERSION:
            raise PluginError(
                "plugin.api-version",
                f"the system {spec.name} was written for plugin API {spec.api_version}, "
                f"this adapter has {hookspecs.API_VERSION}",
            )


def _refuse_doubles(what: str, names: list[str], taken: Mapping[str, Any]) -> None:
    for name in names:
        if name in taken or names.count(name) > 1:
            raise PluginError("plugin.double", f"the {what} {name} is already there")
