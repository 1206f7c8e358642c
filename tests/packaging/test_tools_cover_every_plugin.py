from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(
    each.name for each in ROOT.glob("plugins/*/adapter_*") if (each / "__init__.py").exists()
)
TOOLS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
CONTRACTS = {each["name"]: each for each in TOOLS["importlinter"]["contracts"]}


def test_there_are_plugins() -> None:
    assert {"adapter_hl7v2", "adapter_link"} <= set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_types_and_import_direction_are_checked_for_every_plugin(package: str) -> None:
    assert package in TOOLS["mypy"]["packages"]
    assert package in TOOLS["importlinter"]["root_packages"]
    only_api = CONTRACTS["Plugins import only the public plugin API"]
    assert package in only_api["source_modules"]
    core = CONTRACTS["The core imports no plugin and no kit"]
    assert package in core["forbidden_modules"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_plugin_has_a_readme_tests_and_a_marker_for_types(package: str) -> None:
    folder = next(ROOT.glob(f"plugins/*/{package}")).parent
    assert (folder / "README.md").stat().st_size > 100
    assert list((folder / "tests").glob("test_*.py"))
    assert (folder / package / "py.typed").exists()
