"""adapter.toml: what is refused, and that the error says where and how to fix it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.exchange.config import is_loopback, load_config
from adapter.plugin.errors import ConfigError

GOOD = """
organization = "Test"
[store]
key = "file:adapter.key"
[sites.clinic]
system = "hl7v2"
organization = "Clinic"
role = "requester"
test = true
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "adapter.toml"
    file.write_text(text)
    return file


def test_a_small_file_is_enough(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))

    assert config.sites["clinic"].timezone == "America/Toronto"
    assert config.server.auth == "none"
    assert config.folder == tmp_path.resolve()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('organization = "Test"\n', ""), "organization"),
        (("test = true", "test = true\ntypo = 1"), "sites.clinic.typo"),
        (('role = "requester"', 'role = "boss"'), "sites.clinic.role"),
        (('"file:adapter.key"', '"hunter2"'), "store.key"),
        (("test = true", 'test = true\ntimezone = "Mars/Base"'), "sites.clinic.timezone"),
        (("[store]", "[store"), "TOML"),
    ],
)
def test_what_is_wrong_is_named_and_its_value_is_not(tmp_path, change, said) -> None:
    file = written(tmp_path, GOOD.replace(*change))

    with pytest.raises(ConfigError) as caught:
        load_config(file)

    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "Mars" not in str(caught.value)
    assert caught.value.fix


def test_an_open_server_is_refused_off_loopback_and_with_a_real_site(tmp_path: Path) -> None:
    open_server = GOOD + '\n[server]\nauth = "open"\n'
    assert load_config(written(tmp_path, open_server)).server.auth == "open"

    with pytest.raises(ConfigError, match="loopback"):
        load_config(written(tmp_path, open_server + 'host = "0.0.0.0"\n'))
    with pytest.raises(ConfigError, match="not a test site"):
        load_config(written(tmp_path, open_server.replace("test = true", "test = false")))


def test_a_path_outside_the_folder_is_refused(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))

    assert config.path("a/b.toml") == tmp_path.resolve() / "a" / "b.toml"
    with pytest.raises(ConfigError, match="leads out"):
        config.path("../elsewhere")


def test_secrets_come_from_variables_and_files(tmp_path: Path, monkeypatch) -> None:
    config = load_config(written(tmp_path, GOOD))
    monkeypatch.setenv("SYNTHETIC_SECRET", " abc ")
    (tmp_path / "s.txt").write_text("def\n")

    assert config.secret("env:SYNTHETIC_SECRET") == "abc"
    assert config.secret("file:s.txt") == "def"
    with pytest.raises(ConfigError, match="NOT_THERE"):
        config.secret("env:NOT_THERE")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "example.org", "::"])
def test_everything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)
