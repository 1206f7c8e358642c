from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
OURS = {"adapter", "adapter_mappings", "adapter_conformance"}
SOURCES = {
    ROOT: [ROOT / "adapter", ROOT / "mappings", ROOT / "conformance"],
    **{
        file.parent: [file.parent / f"adapter_{file.parent.name.replace('-', '_')}"]
        for file in sorted(ROOT.glob("plugins/*/pyproject.toml"))
    },
}
PLUGINS = {  # installed editable, which packages_distributions does not see
    folder.name: [f"social-prescribing-adapter-{root.name}"]
    for root, folders in SOURCES.items()
    for folder in folders
    if root != ROOT
}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(folders: list[Path]) -> Iterator[tuple[str, Path]]:
    for folder in folders:
        for file in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    yield from ((each.name.split(".")[0], file) for each in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    yield node.module.split(".")[0], file


@pytest.mark.parametrize("distribution", SOURCES, ids=lambda path: path.name)
def test_every_import_belongs_to_a_declared_dependency(distribution: Path) -> None:
    project = tomllib.loads((distribution / "pyproject.toml").read_text("utf-8"))["project"]
    texts = [
        *project["dependencies"],
        *(each for extra in project.get("optional-dependencies", {}).values() for each in extra),
    ]
    declared = {normal(Requirement(text).name) for text in texts}
    own = OURS | {folder.name for folder in SOURCES[distribution]}
    providers = {**metadata.packages_distributions(), **PLUGINS}
    undeclared = {
        (name, str(file.relative_to(ROOT)))
        for name, file in imported(SOURCES[distribution])
        if name not in sys.stdlib_module_names
        and name not in own
        and not {normal(each) for each in providers.get(name, [])} & declared
    }
    assert undeclared == set()
