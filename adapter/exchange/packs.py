"""Formats and packs as this installation has them: the core's own and the plugins'."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adapter.exchange.config import Config
from adapter.exchange.plugins import Plugins
from adapter.fhir.format import FhirFormat
from adapter.mapping.packs import Packs, load_packs
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
    return load_packs(
        formats, overrides=folders, plugin_packs=plugins.packs, functions=plugins.functions
    )
