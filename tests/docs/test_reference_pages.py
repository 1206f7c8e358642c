from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), *ROOT.glob("plugins/*/README.md")])
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
COMMAND = re.compile(r"^(?:\.venv/bin/)?adapter (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return runpy.run_path(str(ROOT / "scripts" / "build_reference.py"))


@pytest.mark.parametrize("name", ["command-line.md", "configuration.md", "errors.md"])
def test_a_page_that_follows_from_the_program_is_up_to_date(
    name: str, builder: dict[str, Any]
) -> None:
    built = builder["PAGES"][name]()
    assert (DOCS / "reference" / name).read_text("utf-8") == built, "run: make docs"


def test_every_setting_says_what_it_is(builder: dict[str, Any]) -> None:
    rows = [line for line in builder["configuration_page"]().splitlines() if line.startswith("| `")]
    assert len(rows) > 30
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_option_says_what_it_does(builder: dict[str, Any]) -> None:
    rows = [line for line in builder["command_page"]().splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_error_code_has_one_heading_and_every_heading_a_code(
    builder: dict[str, Any],
) -> None:
    headings = re.findall(
        r"^### (.+)$", (DOCS / "reference" / "errors.md").read_text("utf-8"), re.M
    )
    assert len(headings) > 100
    assert sorted(headings) == sorted(builder["error_codes"]()), "run: make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target, _ in LINK.findall(page.read_text("utf-8")):
        if "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


def commands_in_docs() -> list[tuple[str, str]]:
    return [
        (str(page.relative_to(ROOT)), command)
        for page in PAGES
        for _, block in BLOCK.findall(page.read_text("utf-8"))
        for command in COMMAND.findall(block)
    ]


def test_the_docs_show_commands() -> None:
    assert len(commands_in_docs()) > 10


@pytest.mark.parametrize(("page", "command"), commands_in_docs())
def test_every_command_in_the_docs_exists_with_its_options(page: str, command: str) -> None:
    from adapter.cli.main import COMMANDS, load
    from adapter.cli.plugin_commands import group_of

    words = command.split("#")[0].split()
    found, rest = load(words[0]) if words[0] in COMMANDS else group_of(words[0]), words[1:]
    assert found is not None, f"{page}: adapter {command}"
    while getattr(found, "commands", None):
        assert rest, f"{page}: adapter {command}"
        assert rest[0] in found.commands, f"{page}: adapter {command}"
        found, rest = found.commands[rest[0]], rest[1:]
    known = {name for each in found.params for name in each.opts}
    for word in rest:
        if word.startswith("-") and word != "-":
            assert word.partition("=")[0] in known, f"{page}: adapter {command}"
