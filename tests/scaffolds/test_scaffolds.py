"""What `adapter plugins new` writes passes the kit, ruff and mypy at once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from run import AUTHS, CHOICES, PAIRWISE, install, problems

from adapter.cli.scaffold import scaffold
from adapter.cli.scaffold.scaffold import Choice, NotOffered, write


def test_a_pairwise_choice_passes_everything(tmp_path: Path) -> None:
    assert len(PAIRWISE) in range(9, 13)
    assert {(each.transport, each.level) for each in PAIRWISE} == {
        (each.transport, each.level) for each in CHOICES
    }
    assert {each.auth for each in PAIRWISE} == set(AUTHS)
    assert problems(tmp_path, install(tmp_path, PAIRWISE), PAIRWISE) == []


@pytest.mark.parametrize("choice", CHOICES, ids=lambda each: each.name)
def test_every_word_of_a_template_is_filled_in(choice: Choice, tmp_path: Path) -> None:
    files = write(choice, tmp_path)

    assert len(files) >= 7
    assert [each for each in files if "@" in each.read_text("utf-8").replace("@hookimpl", "")] == []


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"level": 0}, "the levels offered are"),
        ({"transport": "hl7v2", "level": 2}, "the levels offered are"),
        ({"transport": "files", "auth": "basic"}, "no --auth"),
        ({"name": "No Name"}, "lower-case"),
        ({"name": "../out"}, "lower-case"),
    ],
)
def test_what_is_not_offered_is_refused_with_the_reason(
    asked: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(NotOffered, match=said):
        write(Choice(**{"name": "acme", **asked}), tmp_path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_what_stands_on_a_plugin_that_is_not_installed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaffold, "_is_installed", lambda plugin: False)
    for transport, level in (("fhir", 0), ("hl7v2", 1)):
        with pytest.raises(NotOffered, match=f"the plugin {transport}, which is not installed"):
            write(Choice(name="acme", transport=transport, level=level), tmp_path)


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()

    with pytest.raises(NotOffered, match="there already"):
        write(Choice(name="acme"), tmp_path)
