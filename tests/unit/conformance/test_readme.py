"""The README that is examined is the one that its reader sees."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

from adapter_conformance.subject import _readme


def point(folder: Path, *, editable: bool, url: str | None = None) -> metadata.EntryPoint:
    """An installed distribution whose metadata were made from an older README."""
    info = folder / "site" / "acme-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.4\nName: acme\nVersion: 1.0\n\n# Older\n")
    (info / "entry_points.txt").write_text("[adapter.plugins]\nacme = acme\n")
    origin = {"url": url or folder.as_uri(), "dir_info": {"editable": editable}}
    (info / "direct_url.json").write_text(json.dumps(origin))
    (folder / "pyproject.toml").write_text('[project]\nname = "acme"\nreadme = "LIESMICH.md"\n')
    (folder / "LIESMICH.md").write_text("# Newer\n")
    (found,) = metadata.Distribution.at(info).entry_points
    return found


def test_of_an_editable_installation_it_is_the_file_as_it_stands(tmp_path: Path) -> None:
    assert _readme(point(tmp_path, editable=True)) == "# Newer\n"


def test_of_any_other_it_is_what_was_installed(tmp_path: Path) -> None:
    assert _readme(point(tmp_path, editable=False)).strip() == "# Older"


@pytest.mark.parametrize("url", ["file:///nowhere/acme", "https://example.org/acme"])
def test_where_the_source_is_gone_it_is_what_was_installed(tmp_path: Path, url: str) -> None:
    assert _readme(point(tmp_path, editable=True, url=url)).strip() == "# Older"
