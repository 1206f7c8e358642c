"""The plugins that are installed, as they stand, and what those that are enabled bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from typing import Any, Literal

from adapter.exchange.plugin_code import in_time
from adapter.exchange.system_class import adapted_class, system_class
from adapter.plugin.errors import AdapterError, PluginError
from adapter.plugin.formats import Format
from adapter.plugin.system import System, SystemSpec

State = Literal["enabled", "installed", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedPlugin:
    """One plugin as it stands: enabled, installed only, or failed and why.

    `code` is the word code of the failure, `reason` the sentence for people, `fix` what to do;
    `resolver` looks secrets up, if it brings one; `packages` are the top-level packages that its
    code is in.
    """

    name: str
    version: str
    distribution: str
    state: State
    reason: str = ""
    code: str = ""
    fix: str = ""
    systems: tuple[SystemSpec, ...] = ()
    formats: tuple[Format, ...] = ()
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    packs: tuple[Traversable, ...] = ()
    commands: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    resolver: Callable[..., Any] | None = None
    packages: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugins:
    """All installed plugins, and what the enabled ones bring."""

    loaded: tuple[LoadedPlugin, ...]
    systems: Mapping[str, SystemSpec]
    formats: Mapping[str, Format]
    functions: Mapping[str, Callable[..., Any]]
    packs: tuple[Traversable, ...] = ()

    def system(self, name: str) -> type[System]:
        """The class of a system.

        Raises:
            PluginError: no enabled plugin brings it, or its class cannot be imported.
        """
        spec = self.systems.get(name)
        if spec is None:
            raise self._why_missing(name)
        return self.made(spec)

    def made(self, spec: SystemSpec) -> type[System]:
        """The class of a spec: its own, or its base's with its quirks (level 0).

        Raises:
            PluginError: its class cannot be imported, or its base is not there or takes no quirks.
        """
        if not spec.base:
            return system_class(spec)
        base = self.systems.get(spec.base)
        if base is None or base.base:
            raise PluginError(
                "plugin.no-base",
                f"the system {spec.name} stands on {spec.base!r}, which no enabled plugin brings",
                fix=f'Install the plugin {spec.base} and add "{spec.base}" to enabled in '
                "[plugins].",
            )
        return adapted_class(spec, system_class(base))

    def owner(self, system: str) -> str | None:
        """The plugin that brings a system, by name; None if none does."""
        for plugin in self.loaded:
            if any(each.name == system for each in plugin.systems):
                return plugin.name
        return None

    def secret(self, reference: str) -> str | None:
        """What a reference stands for at the first plugin that knows it; None if none does.

        Raises:
            ConfigError, AuthError, TransientError: as the plugin said. PluginError: it raised
                anything else, took too long, or gave no text back.
        """
        for plugin in self.loaded:
            if plugin.resolver is not None:
                found = _resolved(plugin.name, plugin.resolver, reference)
                if found is not None:
                    return found
        return None

    def _why_missing(self, name: str) -> PluginError:
        for plugin in self.loaded:
            if plugin.state == "failed" and plugin.name == name:
                why = f"the plugin {name} failed: {plugin.reason}"
                return PluginError(plugin.code, why, fix=plugin.fix)
            if plugin.state == "installed" and plugin.name == name:
                return PluginError(
                    "plugin.not-enabled",
                    f"the plugin {name} is installed, but not enabled",
                    fix=f'Add "{name}" to enabled in [plugins].',
                )
        known = ", ".join(sorted(self.systems)) or "none"
        return PluginError(
            "plugin.no-system",
            f"no enabled plugin brings a system {name!r}; there are: {known}",
            fix="Install the plugin and enable it, or correct the name: adapter plugins list",
        )


def _resolved(plugin: str, resolver: Callable[..., Any], reference: str) -> str | None:
    try:
        with in_time():
            found = resolver(reference=reference)
    except AdapterError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises, it is named
        raise PluginError(
            "plugin.raised",
            f"the plugin {plugin} raised {type(error).__name__} in resolve_secret()",
            fix="Look at the log, and update the plugin or ask its maker.",
        ) from None  # what it says may hold the secret
    if found is None or isinstance(found, str):
        return found
    raise PluginError(
        "plugin.wrong-type",
        f"resolve_secret() of the plugin {plugin} gave a {type(found).__name__} back, no text",
        fix="Update the plugin, or ask its maker.",
    )
