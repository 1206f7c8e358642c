"""What the exchange knows of each site: its table, and what its system can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from adapter.exchange.config import Config, SiteTable
from adapter.exchange.installed_plugins import Plugins
from adapter.plugin.capabilities import Capabilities
from adapter.plugin.errors import PluginError


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteFacts:
    """One site, without its system's own settings."""

    name: str
    system: str
    organization: str
    role: str
    test: bool
    timezone: ZoneInfo
    language: str
    dialect: str | None
    lifecycle: str
    disclosure: str
    consent: str
    poll_seconds: int
    capabilities: Capabilities
    directory: bool = False
    directory_seconds: int = 3_600


def site_facts(config: Config, plugins: Plugins) -> Mapping[str, SiteFacts]:
    """Every configured site; one whose plugin failed has no capabilities."""
    return {name: _facts(name, table, plugins) for name, table in config.sites.items()}


def _facts(name: str, table: SiteTable, plugins: Plugins) -> SiteFacts:
    capabilities = _capabilities(plugins, table.system)
    return SiteFacts(
        name=name,
        system=table.system,
        organization=table.organization,
        role=table.role,
        test=table.test,
        timezone=ZoneInfo(table.timezone),
        language=table.language,
        dialect=table.dialect,
        lifecycle=table.lifecycle,
        disclosure=table.disclosure,
        consent=table.consent,
        poll_seconds=table.poll_seconds or capabilities.poll_seconds,
        capabilities=capabilities,
        directory=table.directory or table.role == "directory",
        directory_seconds=table.directory_seconds or capabilities.directory_seconds,
    )


def _capabilities(plugins: Plugins, system: str) -> Capabilities:
    try:
        return plugins.system(system).capabilities
    except PluginError:
        return Capabilities()
