"""What `adapter plugins new` writes passes the kit, ruff and mypy at once."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from run import CHOICES, PAIRWISE, install, problems

from adapter.cli.scaffold import scaffold
from adapter.cli.scaffold.scaffold import Choice, NotOffered, write
from adapter.cli.scaffold.transports import AUTHS


def test_a_pairwise_choice_passes_everything(tmp_path: Path) -> None:
    assert len(PAIRWISE) == 13
    assert {(each.transport, each.level) for each in PAIRWISE} == {
        (each.transport, each.level) for each in CHOICES
    }
    assert {each.auth for each in PAIRWISE} == set(AUTHS)
    assert problems(tmp_path, install(tmp_path, PAIRWISE), PAIRWISE) == []


@pytest.mark.parametrize("choice", CHOICES, ids=lambda each: each.name)
def test_every_word_of_a_template_is_filled_in(choice: Choice, tmp_path: Path) -> None:
    files = write(choice, tmp_path)

    assert len(files) >= 7
    assert [each for each in files if re.search("@[A-Z_]+@", each.read_text("utf-8"))] == []


@pytest.mark.parametrize("name", ["No Name", "../out", "", "a", "-x", "x-", "é", "x" * 31])
def test_a_name_that_cannot_be_used_is_refused_with_the_reason(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotOffered, match="lower-case"):
        write(Choice(name=name), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("transport", "auth", "why"),
    [
        ("hl7v2", "oauth2", "MLLP carries no credentials"),
        ("files", "mtls", "a folder asks for none"),
    ],
)
def test_a_scheme_that_a_transport_cannot_have_is_left_out_and_said(
    transport: str, auth: str, why: str, tmp_path: Path
) -> None:
    choice = Choice(name="acme", transport=transport, auth=auth)
    write(choice, tmp_path)

    assert why in choice.note
    assert choice.note in (tmp_path / "acme" / "README.md").read_text("utf-8")
    assert Choice(name="acme", transport=transport).note == ""


def test_what_stands_on_a_plugin_that_is_not_installed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaffold, "_is_installed", lambda plugin: False)
    for transport, level, plugin in (
        ("fhir", 0, "fhir"), ("fhir", 2, "fhir"), ("hl7v2", 2, "hl7v2"), ("rest", 1, "reference"),
        ("files", 0, "reference"),
    ):  # fmt: skip
        with pytest.raises(NotOffered, match=f"plugin {plugin}, which is not installed"):
            write(Choice(name="acme", transport=transport, level=level), tmp_path)
    assert write(Choice(name="acme"), tmp_path)


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()

    with pytest.raises(NotOffered, match="there already"):
        write(Choice(name="acme"), tmp_path)
