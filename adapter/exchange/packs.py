"""Formats and packs as this installation has them: the core's own and the plugins'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

import structlog

from adapter.exchange.config import Config
from adapter.exchange.installed_plugins import Plugins
from adapter.fhir.format import FhirFormat
from adapter.mapping.errors import PackError
from adapter.mapping.packs import Packs, load_packs, pack_folders, pack_formats
from adapter.mapping.table import Fault
from adapter.plugin.formats import Format
from adapter.referral.csv_format import CsvFormat
from adapter.referral.format import ReferralFormat


def formats_of(plugins: Plugins) -> Mapping[str, Format]:
    """Every format by name: fhir, referral and csv are the core's, the others come from plugins."""
    core = (FhirFormat(), ReferralFormat(), CsvFormat())
    own: dict[str, Format] = {each.name: each for each in core}
    return {**own, **plugins.formats}


def packs_of(config: Config | None, plugins: Plugins, formats: Mapping[str, Format]) -> Packs:
    """Every pack: a site's folder goes before a plugin's pack, and that before the core's."""
    folders: list[Path] = []
    if config:
        folders = [config.path(each) for each in config.mappings.folders]
    return sound_packs(plugins, formats, overrides=folders, compiled=False, checked=True)


def sound_packs(
    plugins: Plugins,
    formats: Mapping[str, Format],
    *,
    overrides: Iterable[Path | str] = (),
    compiled: bool = True,
    checked: bool = False,
) -> Packs:
    """All packs but those of plugins that have faults: these are told and left out.

    Without `compiled` each map is compiled at its first message: a service uses few of them. With
    `checked` what does not ship with the core is compiled now all the same, and every row of it is
    held against the definitions, as `adapter mappings check` does.

    Raises:
        PackError: a site's own pack or one of the core's has a fault.
    """
    kept = list(plugins.packs)
    while True:
        try:
            packs = load_packs(
                formats,
                overrides=overrides,
                plugin_packs=kept,
                functions=plugins.functions,
                compiled=compiled,
            )
            if checked:
                own = [*pack_folders(overrides), *kept]
                _check(own, packs, plugins)
                _compile(own, packs)
            return packs
        except PackError as error:
            faulty = [root for root in kept if faults_of(error, root)]
            if not faulty:
                raise
            for root in faulty:
                first = faults_of(error, root)[0]
                structlog.get_logger("plugins").error(
                    "plugin.pack-left-out", pack=root.name, fault=first.code, line=first.where.line
                )
            kept = [root for root in kept if root not in faulty]


def _compile(roots: Iterable[Traversable], packs: Packs) -> None:
    """Compile the maps of these folders: nobody else has tried them."""
    places = tuple(f"{root}/" for root in roots)
    for each in packs.maps:
        if each.table.where.file.startswith(places):
            each.compile()


def _check(roots: Iterable[Traversable], packs: Packs, plugins: Plugins) -> None:
    """Check packs whose formats are at hand. Raises PackError."""
    faults: list[object] = []
    for root in roots:
        if pack_formats(root) <= set(packs.formats):
            from adapter.mapping.check import check_pack

            faults += check_pack(root, packs.packs, packs.formats, plugins.functions)
    if faults:
        raise PackError(faults)


def faults_of(error: PackError, root: Traversable) -> list[Fault]:
    """The faults that are in files of one pack's folder."""
    return [
        each
        for each in error.faults
        if isinstance(each, Fault) and each.where.file.startswith(f"{root}/")
    ]
