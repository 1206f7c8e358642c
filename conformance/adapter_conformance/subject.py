"""What is examined: one plugin, as it loaded, with its system and what the kit knows of it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module, metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from adapter.exchange.installed_plugins import LoadedPlugin, Plugins
from adapter.exchange.mapper import Mapper
from adapter.exchange.packs import faults_of, formats_of
from adapter.exchange.plugins import load_plugins
from adapter.mapping.errors import PackError
from adapter.mapping.packs import Packs, load_packs
from adapter.plugin import AdapterError, ConfigError, System, hookspecs
from adapter.plugin.system import SystemSpec
from adapter_conformance.profile import Profile, read_profile
from adapter_conformance.requirement import NotRun


@dataclass
class Subject:
    """One plugin under examination, with one of its systems.

    Attributes:
        plugin: as the loader left it: loaded, or failed and why.
        plugins: everything that is installed, for formats and names.
        package: the files of its package, or None where there is none.
        system: the class; None if the plugin brings none, or it failed (`fault` says why).
        others: the same plugin with each further system that it brings.
    """

    plugin: LoadedPlugin
    plugins: Plugins
    spec: SystemSpec | None
    system: type[System] | None
    package: Traversable | None
    profile: Profile
    fault: AdapterError | None = None
    readme: str = ""
    others: tuple[Subject, ...] = ()
    _kept: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.plugin.name

    @property
    def kind(self) -> type[System]:
        """The system's class.

        Raises:
            NotRun: there is none.
        """
        if self.system is None:
            raise NotRun("the plugin brings no system, or it did not load")
        return self.system

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What was made once for this subject."""
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    @cached_property
    def packs(self) -> Packs:
        """Its own packs, and where they do not suffice those that they stand on: the core's, and
        of a level 0 system those of its base."""
        try:
            own = self._loaded(with_core=False)
        except PackError:  # it may stand on a pack of the core
            return self._loaded(with_core=True)
        wanted = self.system.capabilities.outbound_format if self.system else None
        if wanted is None or any(each.left_format.name == wanted for each in own.maps):
            return own
        return self._loaded(with_core=True)

    @cached_property
    def dialect(self) -> str | None:
        """The dialect that its own packs are for; None if they are for every peer."""
        own = {root.name for root in self.plugin.packs}
        found = {each.dialect for each in self.packs.maps if each.pack in own}
        return found.pop() if len(found) == 1 else None

    def _loaded(self, *, with_core: bool) -> Packs:
        packs = self.plugin.packs
        if with_core and self.spec is not None and self.spec.base:
            owner = self.plugins.owner(self.spec.base)
            packs += tuple(
                p for each in self.plugins.loaded if each.name == owner for p in each.packs
            )
        return load_packs(
            formats_of(self.plugins),
            core=None if with_core else (),
            plugin_packs=packs,
            functions=self.plugins.functions,
            compiled=False,
        )

    @cached_property
    def pack_faults(self) -> list[str]:
        """What is wrong with its own packs."""
        try:
            packs = self.packs
        except PackError as error:
            own = [fault for root in self.plugin.packs for fault in faults_of(error, root)]
            return [str(each) for each in own or error.faults]
        from adapter.mapping.check import check_pack

        return [
            str(fault)
            for root in self.plugin.packs
            for fault in check_pack(root, packs.packs, packs.formats, self.plugins.functions)
        ]

    @cached_property
    def mapper(self) -> Mapper:
        """Bytes to events and back, as the exchange does it."""
        return Mapper(self.packs, formats_of(self.plugins))


def installed(name: str) -> Subject:
    """An installed plugin, enabled or not.

    Raises:
        ConfigError: none of that name is installed. ProfileError: its conformance.toml is wrong.
    """
    plugins = load_plugins(None)
    found = [each for each in plugins.loaded if each.name == name]
    if not found:
        known = ", ".join(sorted(each.name for each in plugins.loaded)) or "none"
        raise ConfigError(
            "plugin.not-installed",
            f"no plugin {name} is installed; there are: {known}",
            fix="Install its distribution into this environment.",
        )
    point = next(p for p in metadata.entry_points(group=hookspecs.ENTRY_POINTS) if p.name == name)
    return subject_of(found[0], plugins, point.module, _readme(point))


def subject_of(
    plugin: LoadedPlugin, plugins: Plugins, module: str | None, readme: str = ""
) -> Subject:
    """A subject from what the loader made of it: its first system, and `others` for the rest."""
    package = _package(module) if plugin.state != "failed" else None
    first, *rest = plugin.systems or (None,)
    made = _subject(plugin, plugins, first, package, readme)
    made.others = tuple(_subject(plugin, plugins, each, package, readme) for each in rest)
    return made


def _subject(
    plugin: LoadedPlugin,
    plugins: Plugins,
    spec: SystemSpec | None,
    package: Traversable | None,
    readme: str,
) -> Subject:
    system, fault = None, None
    if spec is not None and plugin.state != "failed":
        try:
            system = _class(spec, plugins)
        except AdapterError as error:
            fault = error
    config = system.Config if system else System.Config
    profile = read_profile(package, config, spec.name if spec else "")
    if system is not None:
        profile = _with_inherited(profile, system)
    return Subject(
        plugin=plugin,
        plugins=plugins,
        spec=spec,
        system=system,
        package=package,
        profile=profile,
        fault=fault,
        readme=readme,
    )


def _with_inherited(profile: Profile, system: type[System]) -> Profile:
    """Programs and moves of whoever wrote the code that the system inherits, if it names none.

    What stands on another plugin speaks as that one does, so that its examples are right here too.
    """
    found = profile
    for name, method in (("programs", "list_programs"), ("moves", "endpoints")):
        owner = next((each for each in system.__mro__ if method in vars(each)), None)
        if getattr(found, name) or owner is None or not issubclass(owner, System):
            continue
        package = _package(owner.__module__)
        theirs = getattr(read_profile(package, owner.Config, owner.name), name)
        found = replace(found, **{name: theirs})
    return found


def _class(spec: SystemSpec, plugins: Plugins) -> type[System]:
    return plugins.made(spec)


def _package(module: str | None) -> Traversable | None:
    if module is None:
        return None
    try:
        top = import_module(module.partition(".")[0])
    except (Exception, SystemExit):  # noqa: BLE001 - the loader has told why it cannot be imported
        return None
    return resources.files(top) if getattr(top, "__path__", None) else None


def _readme(point: metadata.EntryPoint) -> str:
    if point.dist is None:
        return ""
    said: Mapping[str, Any] = point.dist.metadata.json
    return _edited(point.dist) or str(said.get("description") or "")


def _edited(dist: metadata.Distribution) -> str:
    """The README as it stands, of an editable installation (PEP 610); its metadata are older."""
    origin = json.loads(dist.read_text("direct_url.json") or "{}")
    address = urlsplit(str(origin.get("url", "")))
    if not origin.get("dir_info", {}).get("editable") or address.scheme != "file":
        return ""
    folder = Path(url2pathname(address.path))
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8")).get("project", {})
        name = project.get("readme", "")
        name = name.get("file", "") if isinstance(name, dict) else name
        return (folder / name).read_text("utf-8") if name else ""
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return ""
