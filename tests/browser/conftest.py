"""Debian's Chromium, axe-core, and the stage that the browser tests play on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
for folder in (HERE, ROOT / "plugins" / "link" / "tests"):
    sys.path.insert(0, str(folder))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for a module's tests; no longer, for Playwright keeps an event loop running."""
    from debian_chromium import ARGUMENTS, chromium_path
    from playwright.sync_api import sync_playwright

    found = chromium_path()
    if found is None:
        pytest.fail("These tests drive Debian's Chromium: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages without JavaScript unless a test asks for more."""
    opened = []

    def open_page(**options: Any) -> Any:
        options = {"java_script_enabled": False, **options}
        context = chromium.new_context(**options)
        opened.append(context)
        made = context.new_page()
        made.set_default_timeout(10_000)
        return made

    yield open_page
    for context in opened:
        context.close()


@pytest.fixture
def stage() -> Iterator[Any]:
    """The agency side, running."""
    from stage import Stage

    made = Stage()
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
