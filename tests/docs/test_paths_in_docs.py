"""Where the docs name a file of the repository, it is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
_PATH = re.compile(r"`((?:adapter|plugins|mappings|conformance|tests|docs|bench|scripts)/[^`\s]*)`")
_LINK = re.compile(r"\]\(((?!https?:|mailto:|#)[^)#\s]+)")
MADE_UP = re.compile(r"[<>{}…]|NAME|my[-_]")
"""Such a path is a pattern or a placeholder, not a file of ours."""


def named(page: Path) -> list[str]:
    return [path for path in _PATH.findall(page.read_text("utf-8")) if not MADE_UP.search(path)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    missing = [path for path in named(page) if not list(ROOT.glob(path.rstrip("/").split("::")[0]))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = _LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_pages_name_enough_files_for_this_to_mean_something() -> None:
    assert sum(len(named(page)) for page in PAGES) > 40
