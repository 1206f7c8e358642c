from __future__ import annotations

import os
import shlex
import subprocess
import sys
from typing import Any

import pytest

from adapter import __version__
from adapter.cli.main import COMMANDS, load, main

HEAVY = ("sqlalchemy", "fhir", "hl7apy", "pydantic", "httpx", "starlette", "rich", "alembic")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "adapter.cli", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100"},
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_says_of_each_command_what_its_module_says(name: str) -> None:
    command = load(name)
    assert command.name == name
    assert command.help
    assert all(each.help for each in getattr(command, "commands", {}).values())


def leaves(name: str) -> list[tuple[str, Any]]:
    """Each command below a word of the table, with the words that call it."""
    command = load(name)
    below = getattr(command, "commands", {})
    return [(f"{name} {each}", leaf) for each, leaf in below.items()] or [(name, command)]


LEAVES = [leaf for name in COMMANDS for leaf in leaves(name)]


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=[words for words, _ in LEAVES])
def test_every_command_takes_json(words: str, command: Any) -> None:
    assert any("--json" in option.opts for option in command.params)


@pytest.mark.parametrize(("words", "command"), LEAVES, ids=[words for words, _ in LEAVES])
def test_the_help_of_every_command_has_an_example_that_it_takes(words: str, command: Any) -> None:
    parts = [" ".join(part.split()) for part in command.help.split("\n\n")]
    examples = [part for part in parts if part.startswith("adapter ")]
    assert examples
    for example in examples:
        arguments = shlex.split(example.partition(" < ")[0].partition(" | ")[0])[1:]
        assert " ".join(arguments).startswith(words)
        command.make_context(command.name, arguments[len(words.split()) :])


@pytest.mark.parametrize("name", ["serve", "sites", "inbox", "referrals", "deliveries"])
def test_every_command_that_reads_a_store_takes_config(name: str) -> None:
    command = load(name)
    for leaf in list(getattr(command, "commands", {}).values()) or [command]:
        assert any("--config" in option.opts for option in leaf.params), leaf.name


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_is_plain_and_offers_no_completion(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: adapter ")
    assert "completion" not in done.stdout


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from adapter.cli.main import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    for name in COMMANDS:
        assert f"  {name} " in done.stdout


def test_importing_the_adapter_loads_nothing_heavy() -> None:
    code = f"import sys, adapter\nassert not [name for name in {HEAVY!r} if name in sys.modules]"
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def test_the_version_is_said() -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, f"adapter {__version__}\n")


def test_an_unknown_command_is_wrong_use_and_a_near_one_is_suggested() -> None:
    done = run("converr")
    assert done.returncode == 2
    assert "Did you mean 'convert'" in done.stderr
    assert done.stdout == ""


def test_an_unknown_option_is_wrong_use() -> None:
    assert run("serve", "--colour").returncode == 2


def test_a_missing_configuration_exits_with_3_and_says_how_to_make_one() -> None:
    done = run("referrals", "list", "--config", "/nowhere/adapter.toml", "--json")
    assert done.returncode == 3
    assert done.stdout == ""
    assert "adapter init" in done.stderr
    assert "config.not-found" in done.stderr


def test_an_interrupt_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("adapter.cli.main.load", interrupted)
    with pytest.raises(SystemExit) as end:
        main(["init", "somewhere"])
    assert end.value.code == 130
