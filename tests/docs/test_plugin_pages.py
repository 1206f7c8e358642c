"""The pages for plugin authors: generated ones are up to date, the tutorial is walked."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["hooks.md", "capabilities.md", "requirements.md"])
def test_a_page_follows_from_the_program(name: str) -> None:
    built = runpy.run_path(str(ROOT / "scripts" / "build_plugin_reference.py"))
    page = (ROOT / "docs" / "reference" / name).read_text("utf-8")

    assert page == built["page"](name), "run scripts/build_plugin_reference.py"


def test_the_tutorial_is_true_line_by_line(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "tutorials" / "write-a-plugin.md").read_text("utf-8")
    commands = [
        line
        for language, block in BLOCK.findall(text)
        if not language
        for line in block.splitlines()
    ]
    assert len(commands) == 6

    site = tmp_path / "site"
    for number, command in enumerate(commands):
        last = number == len(commands) - 1
        if last:
            break_find(tmp_path)
        done = walk(command, tmp_path, site)
        assert done.returncode == (1 if last else 0), (command, done.stdout, done.stderr)
        if "--report" in command:
            assert "level Complete" in done.stdout
            assert "<html" in (tmp_path / "acme-conformance.html").read_text("utf-8")
        if last:
            assert "idempotency.finds" in done.stdout


def walk(command: str, folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Run one line. What it installs goes into a folder of this test, not into the environment."""
    words = command.split()
    module = {"adapter": "adapter.cli", "pip": "pip"}[words[0]]
    arguments = words[1:]
    if module == "pip":
        arguments = [each for each in arguments if each != "--editable"] + ["--target", str(site)]
    env = {**os.environ, "PYTHONPATH": f"{folder / 'acme'}{os.pathsep}{site}"}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=100,
    )


def break_find(folder: Path) -> None:
    file = folder / "acme" / "adapter_acme" / "system.py"
    source = file.read_text("utf-8")
    line = next(each for each in source.splitlines() if "return _delivered(items[0])" in each)
    file.write_text(source.replace(line, "        return None"), "utf-8")
