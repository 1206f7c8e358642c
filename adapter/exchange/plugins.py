"""Finding and loading plugins: each on its own, so that one broken plugin spoils nothing.

Entry points of the group ``adapter.plugins`` are found without importing them; only those on the
allow-list are imported. Hooks are called per plugin, their results are checked here, and whatever
fails is kept with its distribution, version and reason.
"""

from __future__ import annotations

import importlib
import re
import tomllib
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Literal

import pluggy

from adapter.exchange.registered import DOUBLE, refuse_doubles, refuse_foreign, registered
from adapter.exchange.unheard import unheard
from adapter.exchange.watch import interrupting
from adapter.plugin import hookspecs
from adapter.plugin.errors import AdapterError, PluginError
from adapter.plugin.formats import Format
from adapter.plugin.system import (
    Adapts,
    Delivers,
    Finds,
    ListsPrograms,
    Polls,
    Receives,
    ReportsCapacity,
    System,
    SystemSpec,
)

State = Literal["enabled", "installed", "failed"]
LOAD_SECONDS = 30.0
OURS = "social-prescribing-adapter-"
CORE_FORMATS = frozenset({"fhir", "referral", "csv"})
ABILITIES: Mapping[str, type[Any]] = {
    "receives": Receives,
    "polls": Polls,
    "delivers": Delivers,
    "finds": Finds,
    "lists_programs": ListsPrograms,
    "reports_capacity": ReportsCapacity,
}
"""Each ability of `Capabilities` and the Protocol that a system with it has."""
WAYS: Mapping[str, type[Any]] = {"acts": Receives}
"""Ways of having an ability: they need its Protocol, and add none to it."""
DECLARED = (*ABILITIES, *WAYS)
"""All that a system may declare, in order."""


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
        return _adapted(spec, system_class(base))

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
        with interrupting(LOAD_SECONDS):
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


def system_class(spec: SystemSpec) -> type[System]:
    """The class that a spec names, imported now if it is named by its place.

    Raises:
        PluginError: it cannot be imported, is no system, or declares what it has not.
    """
    found: Any = spec.system
    if isinstance(spec.system, str):
        module, _, attribute = spec.system.partition(":")
        try:
            with interrupting(LOAD_SECONDS), unheard(spec.name):
                loaded = importlib.import_module(module)
            found = getattr(loaded, attribute, None)
        except (Exception, SystemExit) as error:  # a plugin may raise anything while it is imported
            raise PluginError(
                "plugin.import-failed",
                f"the system {spec.name} cannot be imported: {_said(error)}",
                fix="Reinstall the plugin, or ask its maker.",
                detail=str(error),
            ) from error
    if not (isinstance(found, type) and issubclass(found, System)):
        raise PluginError(
            "plugin.not-a-system",
            f"{spec.system} is no subclass of adapter.plugin.System",
            fix="Update the plugin, or ask its maker.",
        )
    lacking = undeclared(found)[0]
    if lacking:
        raise PluginError(
            "plugin.declares-what-it-lacks",
            f"the system {spec.name} declares that it {lacking[0]}, "
            f"but has not what {_protocol(lacking[0]).__name__} asks for",
            fix="Update the plugin, or ask its maker: `adapter conform` shows it.",
        )
    return found


def _adapted(spec: SystemSpec, base: type[System]) -> type[System]:
    """The base with the quirks of a level 0 system."""
    if not issubclass(base, Adapts) or spec.quirks is None:
        raise PluginError(
            "plugin.no-base",
            f"the system {spec.name} names no quirks, or {spec.base} takes none",
            fix="A level 0 system is SystemSpec(name=…, base=…, quirks=FILE, summary=…).",
        )
    try:
        found: type[System] = base.adapted(spec.name, tomllib.loads(spec.quirks.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PluginError(
            "plugin.quirks",
            f"the quirks of {spec.name} cannot be read: {type(error).__name__}",
            fix="Correct the file; it is TOML, as the base plugin's README says.",
        ) from error
    except AdapterError as error:
        raise PluginError(
            "plugin.quirks", f"the quirks of {spec.name}: {error.message}", fix=error.fix
        ) from error
    return found


def _protocol(ability: str) -> type[Any]:
    return {**ABILITIES, **WAYS}[ability]


def undeclared(system: type[System]) -> tuple[list[str], list[str]]:
    """Abilities that a class declares and lacks, and those that it has and does not declare."""
    lacking, silent = [], []
    for ability, protocol in ABILITIES.items():
        declared = getattr(system.capabilities, ability).declared
        implemented = issubclass(system, protocol)
        if declared and not implemented:
            lacking.append(ability)
        if implemented and not declared:
            silent.append(ability)
    for way, protocol in WAYS.items():
        if getattr(system.capabilities, way).declared and not issubclass(system, protocol):
            lacking.append(way)
    return lacking, silent


def load_plugins(enabled: Collection[str] | None) -> Plugins:
    """Load the enabled plugins; None loads every installed one (for commands that use no store)."""
    loaded: list[LoadedPlugin] = []
    taken = Taken()
    points = sorted(metadata.entry_points(group=hookspecs.ENTRY_POINTS), key=_rank)
    taken.owners = frozenset(each.name for each in points)
    for point in points:
        if enabled is not None and point.name not in enabled:
            loaded.append(_described(point, "installed"))
            continue
        plugin = _load(point, taken)
        loaded.append(plugin)
        if plugin.state == "enabled":
            taken.names.add(plugin.name)
    loaded = [_without_contested(each, loaded) for each in loaded]
    for each in loaded:
        if each.state == "enabled":
            taken.add(each)
    missing = set(enabled or ()) - {each.name for each in loaded}
    loaded += [
        LoadedPlugin(
            name=name,
            version="",
            distribution="",
            state="failed",
            code="plugin.not-installed",
            reason="it is enabled, but not installed",
            fix="Install its distribution into this environment, or take it out of enabled.",
        )
        for name in sorted(missing)
    ]
    return Plugins(
        loaded=tuple(loaded),
        systems=taken.systems,
        formats=taken.formats,
        functions=taken.functions,
        packs=tuple(taken.packs),
    )


@dataclass(slots=True)
class Taken:
    """What the plugins loaded so far have brought, and the names that plugins own."""

    owners: frozenset[str] = frozenset()
    names: set[str] = field(default_factory=set)
    systems: dict[str, SystemSpec] = field(default_factory=dict)
    formats: dict[str, Format] = field(default_factory=dict)
    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    packs: list[Traversable] = field(default_factory=list)

    def add(self, plugin: LoadedPlugin) -> None:
        """A plugin that loaded: its names are taken now."""
        self.names.add(plugin.name)
        self.systems |= {each.name: each for each in plugin.systems}
        self.formats |= {each.name: each for each in plugin.formats}
        self.functions |= plugin.functions
        self.packs += plugin.packs


def _without_contested(plugin: LoadedPlugin, among: Iterable[LoadedPlugin]) -> LoadedPlugin:
    """The plugin, or its failure where another one brings what it brings.

    Which of two gets a name that is neither's own must not depend on the order of loading, nor on
    which is installed first: none gets it, and both say whom they met.
    """
    if plugin.state != "enabled":
        return plugin
    for other in among:
        if other.state != "enabled" or other is plugin:
            continue
        for (what, own), (_, theirs) in zip(_brought(plugin), _brought(other), strict=True):
            both = sorted(own & theirs)
            if both:
                return replace(
                    plugin,
                    state="failed",
                    code="plugin.double",
                    reason=f"the {what} {both[0]} is brought by the plugin {other.name}, too; "
                    "neither of the two is taken",
                    fix=DOUBLE,
                )
    return plugin


def _brought(plugin: LoadedPlugin) -> list[tuple[str, set[str]]]:
    """The names that a plugin brings, by what they are names of."""
    return [
        ("system", {each.name for each in plugin.systems}),
        ("format", {each.name for each in plugin.formats}),
        ("function", set(plugin.functions)),
        ("mapping pack", {each.name for each in plugin.packs}),
    ]


def _rank(point: metadata.EntryPoint) -> tuple[str, bool, str]:
    """The order of loading. Of two that share a name, the distribution that is named for it is the
    one that runs: which that is must not depend on where they are installed."""
    distribution = point.dist.name if point.dist else ""
    return point.name, distribution != f"{OURS}{point.name}", distribution


def _described(point: metadata.EntryPoint, state: State, **more: Any) -> LoadedPlugin:
    return LoadedPlugin(
        name=point.name,
        version=point.dist.version if point.dist else "",
        distribution=point.dist.name if point.dist else "",
        state=state,
        **more,
    )


def _load(point: metadata.EntryPoint, taken: Taken) -> LoadedPlugin:
    """One plugin, by a manager of its own: pluggy would let one bad plugin spoil a shared call."""
    try:
        with interrupting(LOAD_SECONDS), unheard(point.name):
            brought = collect(point.name, point.load, taken)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises, the others run on
        fault = _fault(error)
        return _described(point, "failed", code=fault.code, reason=fault.message, fix=fault.fix)
    return _described(point, "enabled", packages=_packages(point, brought["systems"]), **brought)


def _packages(point: metadata.EntryPoint, systems: Iterable[SystemSpec]) -> frozenset[str]:
    modules = [point.value]
    modules += [
        each.system if isinstance(each.system, str) else each.system.__module__ for each in systems
    ]
    ours = {"adapter", "builtins", ""}
    return frozenset(re.split(r"[.:]", each)[0] for each in modules) - ours


def collect(name: str, load: Callable[[], Any], taken: Taken) -> dict[str, Any]:
    """What one plugin registers, checked: systems, formats, functions, packs, commands, secrets.

    Raises:
        PluginError: a hook returned the wrong thing, a name is taken, or the API is newer. Anything
            else that the plugin itself raises is let through.
    """
    if name in taken.names:
        raise PluginError("plugin.double", f"the plugin {name} is already there", fix=DOUBLE)
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugin = load()
    manager.register(plugin, name=name)
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        raise PluginError(
            "plugin.no-hooks",
            "it marks no function with @hookimpl, and so brings nothing",
            fix="Update the plugin, or ask its maker: docs/reference/hooks.md shows how.",
        )
    brought = registered(manager)
    for what, names, there in (
        ("system", [each.name for each in brought["systems"]], taken.systems),
        ("format", [each.name for each in brought["formats"]], {*taken.formats, *CORE_FORMATS}),
        ("function", list(brought["functions"]), taken.functions),
        ("mapping pack", [each.name for each in brought["packs"]], {p.name for p in taken.packs}),
    ):
        refuse_foreign(what, names, name, taken.owners)
        refuse_doubles(what, names, there)
    return brought


def _fault(error: BaseException) -> AdapterError:
    """Why a plugin did not load, in words."""
    if isinstance(error, AdapterError):
        return error
    if isinstance(error, pluggy.PluginValidationError):
        code, fix = "plugin.unknown-hook", "The hooks are in docs/reference/hooks.md."
        return PluginError(code, f"PluginValidationError: {error}", fix=fix)
    fix = "Reinstall the plugin, or ask its maker."
    return PluginError("plugin.import-failed", _said(error), fix=fix)


def _said(error: BaseException) -> str:
    """The class of an error and where it was raised; what it says only if Python itself says it."""
    said = (
        f"{type(error).__name__}: {error}" if isinstance(error, ImportError | SyntaxError) else ""
    )
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return said or f"{type(error).__name__}{where}"
