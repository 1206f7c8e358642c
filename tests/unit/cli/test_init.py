from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from adapter.cli.main import main
from adapter.exchange.config import load_config
from adapter.exchange.directory import load_programs

pytestmark = pytest.mark.network  # free ports are found by asking loopback for them


def init(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["init", *arguments])
    code = end.value.code
    return code if isinstance(code, int) else 0


def test_the_loop_is_complete_all_test_and_passes_its_own_check(tmp_path: Path) -> None:
    assert init(str(tmp_path / "loop"), "--example", "loop") == 0
    config = load_config(tmp_path / "loop" / "adapter.toml")
    assert {name: site.system for name, site in config.sites.items()} == {
        "clinic": "hl7v2",
        "agency": "link",
    }
    assert all(site.test for site in config.sites.values())
    assert config.server.port == 0
    assert config.server.auth == "open"
    assert config.sites["clinic"].settings["port"] == 0
    programs = load_programs(config.path(config.routing.programs or ""))
    assert len(programs) == 3
    assert {each.site for each in programs} == {"agency"}


def test_the_key_is_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    init(str(tmp_path / "new"))
    config = load_config(tmp_path / "new" / "adapter.toml")
    assert config.store.key == "file:adapter.key"
    mode = stat.S_IMODE((tmp_path / "new" / "adapter.key").stat().st_mode)
    assert mode == 0o600


def test_two_installations_never_share_a_key(tmp_path: Path) -> None:
    init(str(tmp_path / "a"))
    init(str(tmp_path / "b"))
    assert (tmp_path / "a" / "adapter.key").read_text() != (
        tmp_path / "b" / "adapter.key"
    ).read_text()


def test_without_an_example_nothing_is_connected_and_the_api_is_closed(tmp_path: Path) -> None:
    init(str(tmp_path / "new"))
    config = load_config(tmp_path / "new" / "adapter.toml")
    assert config.sites == {}
    assert config.server.auth == "none"


def test_the_examples_in_the_comments_are_right_too(tmp_path: Path) -> None:
    init(str(tmp_path / "new"))
    file = tmp_path / "new" / "adapter.toml"
    text = file.read_text("utf-8")
    commented = [line for line in text.splitlines() if line.startswith(("# [sites", "# system"))]
    assert len(commented) == 6
    start = text.index("# [sites.clinic]")
    lines = [
        line.removeprefix("# ") if line.startswith(("# [", "# ")) and "---" not in line else ""
        for line in text[start:].splitlines()
    ]
    file.write_text(text[:start] + "\n".join(lines), "utf-8")
    assert set(load_config(file).sites) == {"clinic", "agency"}


def test_an_empty_folder_is_taken_and_a_full_one_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert init(str(tmp_path / "empty")) == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    assert init(str(tmp_path / "full")) == 2
    assert [each.name for each in (tmp_path / "full").iterdir()] == ["mine"]
    assert "not an empty folder" in capsys.readouterr().err


def test_json_names_the_files_and_what_to_do_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(str(tmp_path / "new"), "--json")
    said = json.loads(capsys.readouterr().out)
    assert all(Path(each).exists() for each in said["files"])
    assert any("adapter serve" in each for each in said["next"])


def test_an_empty_store_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init(str(tmp_path / "new"))
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["referrals", "list", "--json", "--config", str(tmp_path / "new" / "adapter.toml")])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out) == []
