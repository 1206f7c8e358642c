"""Debian's Chromium, axe-core, and the stage that the browser tests play on."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
AXE = "4.14.1"
CHROMIUM_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

for folder in (HERE, ROOT / "plugins" / "link" / "tests"):
    sys.path.insert(0, str(folder))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for a module's tests; no longer, for Playwright keeps an event loop running."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium")
    if found is None:
        pytest.fail("These tests drive Debian's Chromium: apt-get install chromium", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGUMENTS)
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
    """The source of axe-core, from npm, kept under build/."""
    kept = ROOT / "build" / "axe-core" / f"axe-{AXE}.min.js"
    if not kept.exists():
        _fetch_axe(kept)
    return kept.read_text("utf-8")


def _fetch_axe(kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    npm = shutil.which("npm")
    if npm is None:
        pytest.fail("The accessibility tests need npm once, to fetch axe-core.", pytrace=False)
    packed = subprocess.run(
        [npm, "pack", "--silent", f"axe-core@{AXE}"],
        cwd=kept.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    archive = kept.parent / f"axe-core-{AXE}.tgz"
    if packed.returncode or not archive.exists():
        pytest.fail(f"axe-core {AXE} could not be fetched with npm: {packed.stderr[-300:]}")
    with tarfile.open(archive) as tar:
        source = tar.extractfile("package/axe.min.js")
        assert source is not None
        kept.write_bytes(source.read())
    archive.unlink()
