from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from adapter.exchange.config import PluginsTable, RoutingTable, ServerTable, SiteTable
from adapter.exchange.directory import _Row
from adapter.exchange.plugins import load_plugins

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (str(page.relative_to(ROOT)), block)
    for page in sorted([*ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])
    for language, block in BLOCK.findall(page.read_text("utf-8"))
    if language == "toml" and "[pack]" not in block
]
TABLES = {"server": ServerTable, "plugins": PluginsTable, "routing": RoutingTable}
PLUGINS = load_plugins(None)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize(("page", "text"), EXAMPLES)
def test_every_example_of_a_configuration_is_right(page: str, text: str) -> None:
    table = tomllib.loads(text)
    for name, model in TABLES.items():
        if name in table:
            model.model_validate(table[name])
    for row in table.get("program", []):
        _Row.model_validate(row)
    for site in table.get("sites", {}).values():
        check_site(site)


def check_site(site: dict[str, Any]) -> None:
    settings = site.pop("settings", None)
    if site:
        SiteTable.model_validate(site)
    if settings is None:
        return
    kinds = [site["system"]] if "system" in site else list(PLUGINS.systems)
    errors = []
    for kind in kinds:
        try:
            PLUGINS.system(kind).Config.model_validate(settings)
        except ValueError as error:
            errors.append(str(error))
    assert len(errors) < len(kinds), errors
