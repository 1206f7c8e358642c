"""Finding and loading plugins: each on its own, so that one broken plugin spoils nothing.

Entry points of the group ``adapter.plugins`` are found without importing them; only those on the
allow-list are imported. Hooks are called per plugin, their results are checked here, and whatever
fails is kept with its distribution, version and reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from importlib import metadata
from importlib.resources.abc import Traversable
from typing import Any

import pluggy

from adapter.exchange.installed_plugins import LoadedPlugin, Plugins, State
from adapter.exchange.plugin_code import fault_of, loading
from adapter.exchange.registered import DOUBLE, refuse_doubles, refuse_foreign, registered
from adapter.plugin import hookspecs
from adapter.plugin.errors import PluginError
from adapter.plugin.formats import Format
from adapter.plugin.system import SystemSpec

OURS = "social-prescribing-adapter-"
CORE_FORMATS = frozenset({"fhir", "referral", "csv"})


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
        with loading(point.name):
            brought = collect(point.name, point.load, taken)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it raises, the others run on
        fault = fault_of(error)
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
