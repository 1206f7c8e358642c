"""The pages for plugin authors: generated ones are up to date, the tutorial is walked."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from adapter.exchange.plugins import load_plugins

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


SHIPPED = sorted(each.parent.name for each in ROOT.glob("plugins/*/pyproject.toml"))
PAGES = ["hooks.md", "capabilities.md", "requirements.md", "fakes.md"]


@pytest.mark.parametrize("name", [*PAGES, *(f"plugins/{each}.md" for each in SHIPPED)])
def test_a_page_follows_from_the_program(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    built = runpy.run_path(str(ROOT / "scripts" / "build_plugin_reference.py"))
    page = (ROOT / "docs" / "reference" / name).read_text("utf-8")

    assert page == built["page"](name), "run scripts/build_plugin_reference.py"


@pytest.mark.parametrize("plugin", SHIPPED)
def test_the_page_of_a_plugin_names_each_setting_and_each_error_of_its_own(plugin: str) -> None:
    page = (ROOT / "docs" / "reference" / "plugins" / f"{plugin}.md").read_text("utf-8")
    loaded = load_plugins({plugin})
    for spec in loaded.loaded[0].systems:
        for name, field in loaded.system(spec.name).Config.model_fields.items():
            assert f"| `{name}` |" in page
            assert field.description, f"{name} says not what it is"
    known = (ROOT / "docs" / "reference" / "errors.md").read_text("utf-8")
    codes = re.findall(r"^- \[`(.+)`\]", page, re.MULTILINE)
    assert [each for each in codes if f"### {each}\n" not in known] == []
    assert f"(../../docs/reference/plugins/{plugin}.md)" in (
        ROOT / "plugins" / plugin / "README.md"
    ).read_text("utf-8")


def test_the_tutorial_is_true_line_by_line(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "tutorials" / "write-a-plugin.md").read_text("utf-8")
    commands = [
        line
        for language, block in BLOCK.findall(text)
        if not language
        for line in block.splitlines()
    ]
    edits = [block for language, block in BLOCK.findall(text) if language == "diff"]
    assert (len(commands), len(edits)) == (6, 1)

    site = tmp_path / "site"
    for number, command in enumerate(commands):
        last = number == len(commands) - 1
        if last:
            apply(edits[0], tmp_path)
        done = walk(command, tmp_path, site)
        assert done.returncode == (1 if last else 0), (command, done.stdout, done.stderr)
        if "--report" in command:
            assert "level Complete" in done.stdout
            assert "<html" in (tmp_path / "acme-conformance.html").read_text("utf-8")
        if last:
            assert "idempotency.finds" in done.stdout


def test_the_page_about_files_over_sftp_is_true_line_by_line(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "how-to" / "exchange-files-over-sftp.md").read_text("utf-8")
    blocks = BLOCK.findall(text)
    shown = "".join(block for language, block in blocks if not language)
    make, install, conform, test = shown.splitlines()
    files = dict(
        block.removeprefix("# ").split("\n", 1)
        for language, block in blocks
        if language in ("python", "toml")
    )
    [rows] = [block for language, block in blocks if language == "markdown"]
    assert len(files) == 5

    def done(command: str) -> str:
        found = walk(command, tmp_path, tmp_path / "site")
        assert found.returncode == 0, (command, found.stdout, found.stderr)
        return found.stdout

    done(make)
    for name, content in files.items():
        (tmp_path / name).write_text(content, "utf-8")
    project, readme = tmp_path / "acme" / "pyproject.toml", tmp_path / "acme" / "README.md"
    needed = project.read_text("utf-8")
    project.write_text(needed.replace("dependencies = [", 'dependencies = ["asyncssh>=2.18", ', 1))
    table = re.compile(r"\| setting \| meaning \|\n(?:\|.*\n)+")
    readme.write_text(table.sub(lambda _: rows, readme.read_text("utf-8")), "utf-8")
    done(install)
    assert "level Complete" in done(conform)
    assert " 5 passed in " in done(test)
    done("ruff check acme")


def walk(command: str, folder: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Run one line. What it installs goes into a folder of this test, not into the environment."""
    words = command.split()
    module = {"adapter": "adapter.cli"}.get(words[0], words[0])
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


def apply(edit: str, folder: Path) -> None:
    """Make the edit that the page shows, as `patch -p1` does: exactly there, or not at all."""
    old, new, where, *lines = edit.splitlines()
    path, again = (line.split(maxsplit=1)[1].partition("/")[2] for line in (old, new))
    first = re.fullmatch(r"@@ -(\d+),(\d+) \+\1,\2 @@", where)
    assert first
    assert path == again
    before = [line[1:] for line in lines if line[0] in " -"]
    after = [line[1:] for line in lines if line[0] in " +"]
    assert before != after

    source = (folder / path).read_text("utf-8").splitlines()
    start = int(first.group(1)) - 1
    assert source[start : start + int(first.group(2))] == before, "the page shows other lines"
    source[start : start + len(before)] = after
    (folder / path).write_text("\n".join(source) + "\n", "utf-8")
