"""Every command that a page shows is one that the program takes, and every page can be found."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.main import COMMANDS, load
from adapter.cli.plugin_commands import group_of

ROOT = Path(__file__).resolve().parent.parent.parent
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("plugins/*/README.md"),
        *ROOT.glob("conformance/README.md"),
        *ROOT.glob("mappings/README.md"),
    ]
)
FENCE = re.compile(r"^ *```[a-z]*\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
CALL = re.compile(r"^\s*(?:\$ )?(?:\.venv/bin/)?adapter\s+(\S.*)$", re.MULTILINE)
INLINE = re.compile(r"`adapter ([^`]+)`")
LINK = re.compile(r"\]\(([^)#:]+?)(?:#[^)]*)?\)")
ENDS = ("|", "<", ">", "#", "&&", ";")


def shown() -> list[tuple[str, str]]:
    """Each page's calls in blocks, without what belongs to the shell."""
    found = []
    for page in PAGES:
        for block in FENCE.findall(page.read_text("utf-8")):
            calls = CALL.findall(block.replace("\\\n", " "))
            found += [(page.relative_to(ROOT).as_posix(), call.strip()) for call in calls]
    return found


def leaf_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words call, of ours or of a plugin, and what is left for it."""
    command = load(words[0]) if words[0] in COMMANDS else group_of(words[0])
    assert command is not None, f"there is no command {words[0]}"
    below = getattr(command, "commands", None)
    if not below:
        return command, words[1:]
    assert words[1] in below, f"there is no command {words[0]} {words[1]}"
    return below[words[1]], words[2:]


@pytest.mark.parametrize(("page", "call"), shown())
def test_a_call_that_a_page_shows_is_taken(page: str, call: str) -> None:
    words = shlex.split(call, comments=True)
    end = next((index for index, word in enumerate(words) if word in ENDS), len(words))
    command, rest = leaf_of(words[:end])
    command.make_context(command.name, rest)


def test_a_command_that_a_sentence_names_is_there() -> None:
    for page in PAGES:
        for said in INLINE.findall(page.read_text("utf-8")):
            words = [word for word in said.split() if re.fullmatch(r"[a-z0-9-]+", word)]
            if not words or words[0].startswith("-"):
                continue
            command = load(words[0]) if words[0] in COMMANDS else group_of(words[0])
            assert command is not None, f"{page.name}: {said}"
            below = getattr(command, "commands", None)
            assert not below or len(words) == 1 or words[1] in below, f"{page.name}: {said}"


def test_every_page_is_found_by_links_from_the_readme() -> None:
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        found.add(page)
        for target in LINK.findall(page.read_text("utf-8")):
            linked = (page.parent / target).resolve()
            assert linked.exists(), f"{page.relative_to(ROOT)} links to {target}"
            near = sorted(linked.glob("*.md")) if linked.is_dir() else [linked]
            waiting += [each for each in near if each.suffix == ".md" and each not in found]
    lost = set(ROOT.glob("docs/**/*.md")) - found
    assert sorted(each.relative_to(ROOT).as_posix() for each in lost) == []
