"""adapter.toml: what is refused, and that the error says where and how to fix it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter.exchange.config import is_loopback, load_config
from adapter.exchange.store_settings import store_keyring, store_url
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
    ("change", "key", "expected"),
    [
        (('organization = "Test"\n', ""), "organization", "missing; expected who runs this"),
        (("test = true", "test = true\nroel = 1"), "sites.clinic.roel", "did you mean role?"),
        (("[store]", "[store]\nnosuch = 'hunter2'"), "store.nosuch", "expected one of url, key"),
        (("test = true", 'test = "hunter2"'), "sites.clinic.test", "expected true or false"),
        (('role = "requester"', 'role = "hunter2"'), "sites.clinic.role", "expected 'requester'"),
        (('"file:adapter.key"', '"hunter2"'), "store.key", "expected a reference"),
        (('"file:adapter.key"', '["hunter2"]'), "store.key", "expected text in quotes"),
        (
            ("test = true", 'test = true\ntimezone = "hunter2"'),
            "sites.clinic.timezone",
            "expected an IANA time zone",
        ),
        (("[sites.clinic]", '[sites."A b"]'), "sites.A b", "lower-case letters, digits"),
        (("[store]", '[store]\nurl = "mysql://hunter2"'), "store.url", "expected sqlite:///FILE"),
        (
            ("[store]", '[store]\nurl = "postgresql://me:hunter2@localhost/x"'),
            "store.url",
            "expected no password here",
        ),
        (
            ("[store]", "[server]\nport = 70000\n[store]"),
            "server.port",
            "expected 65535 or less",
        ),
        (
            ("[store]", "[plugins]\nenabled = [1]\n[store]"),
            "plugins.enabled[1]",
            "expected text in quotes",
        ),
        (("[store]", "routing = 'hunter2'\n[store]"), "routing", "expected a table"),
    ],
)
def test_an_error_names_file_key_what_was_expected_and_the_command_that_checks(
    tmp_path: Path, change: tuple[str, str], key: str, expected: str
) -> None:
    (folder := tmp_path / "a folder").mkdir()
    file = written(folder, GOOD.replace(*change))

    with pytest.raises(ConfigError) as caught:
        load_config(file)

    assert f"{file}: {key}: " in caught.value.message
    assert expected in caught.value.message
    assert "hunter2" not in caught.value.message
    assert f"adapter sites check --config '{file}'" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (GOOD.replace("[store]", "[store").encode(), "line 3"),
        (GOOD.replace("Clinic", "Clinique chérie").encode("latin-1"), "line 7 is not UTF-8"),
        (b"\xff\xfe" + GOOD.encode("utf-16-le"), "line 1 is not UTF-8"),
    ],
)
def test_what_is_no_toml_is_named_by_its_line(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "adapter.toml").write_bytes(text)

    with pytest.raises(ConfigError, match=said) as caught:
        load_config(tmp_path / "adapter.toml")

    assert caught.value.code == "config.not-toml"
    assert "adapter sites check --config" in caught.value.fix


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "adapter.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())

    assert load_config(tmp_path / "adapter.toml").organization == "Test"


def test_the_stores_address_may_stand_elsewhere(tmp_path: Path, monkeypatch) -> None:
    referring = GOOD.replace("[store]", '[store]\nurl = "env:STORE_ADDRESS"')
    config = load_config(written(tmp_path, referring))

    monkeypatch.setenv("STORE_ADDRESS", "postgresql://me:hunter2@localhost/referrals")
    assert store_url(config) == "postgresql://me:hunter2@localhost/referrals"

    monkeypatch.setenv("STORE_ADDRESS", "sqlite:///beside.sqlite3")
    assert store_url(config) == f"sqlite:///{tmp_path.resolve()}/beside.sqlite3"

    monkeypatch.setenv("STORE_ADDRESS", "hunter2")
    with pytest.raises(ConfigError, match=r"store\.url") as caught:
        store_url(config)
    assert "hunter2" not in str(caught.value)


def test_a_key_file_that_is_missing_is_named_with_the_key_that_names_it(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, GOOD))

    with pytest.raises(ConfigError, match=r"adapter\.toml: store\.key: ") as caught:
        store_keyring(config)

    assert "adapter sites check --config" in caught.value.fix


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

    assert config.secret("env:SYNTHETIC_SECRET", "smtp.password") == "abc"
    assert config.secret("file:s.txt", "smtp.password") == "def"
    with pytest.raises(ConfigError, match=r"adapter\.toml: smtp\.password: .*NOT_THERE"):
        config.secret("env:NOT_THERE", "smtp.password")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_known(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "example.org", "::"])
def test_everything_else_is_not_loopback(host: str) -> None:
    assert not is_loopback(host)
