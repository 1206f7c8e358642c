"""Secrets in a site's settings: references are resolved, the rest is refused, none is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, SecretStr

from adapter.cli.logs import no_secrets
from adapter.exchange.config import Config
from adapter.exchange.plugins import load_plugins
from adapter.exchange.secrets import Secrets
from adapter.plugin.errors import ConfigError
from adapter.security.known_secrets import without


class Auth(BaseModel):
    password: SecretStr = SecretStr("default")


class Settings(BaseModel):
    url: str = ""
    key: SecretStr | None = None
    auth: Auth = Auth()


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    (tmp_path / "key").write_text("PLANTED-of-file\n")
    config = Config.model_validate(
        {"organization": "o", "store": {"key": "file:adapter.key"}},
        context={"file": tmp_path / "adapter.toml"},
    )
    return Secrets(config, load_plugins({"reference"}))


def read(secrets: Secrets, **settings: Any) -> Settings:
    made = Settings.model_validate(secrets.resolved(settings, "sites.north.settings"))
    secrets.refuse_inline("north", made)
    return made


def test_files_variables_and_credentials_of_systemd_are_read(
    secrets: Secrets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "emr-key").write_text("PLANTED-of-systemd\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("PASSWORD", "PLANTED-of-env")

    for reference, secret in [
        ("file:key", "PLANTED-of-file"),
        ("env:PASSWORD", "PLANTED-of-env"),
        ("credential:emr-key", "PLANTED-of-systemd"),
    ]:
        made = read(secrets, key=reference, auth={"password": reference})
        assert made.key is not None
        assert made.key.get_secret_value() == secret
        assert made.auth.password.get_secret_value() == secret


@pytest.mark.parametrize("name", ["../key", "none", "a b", ""])
def test_a_credential_that_is_not_there_is_said_with_what_to_do(
    secrets: Secrets, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    with pytest.raises(ConfigError) as raised:
        read(secrets, key=f"credential:{name}")
    assert raised.value.fix


@pytest.mark.parametrize("value", ["hunter2", "vault:unknown"])
def test_a_secret_in_the_file_itself_is_refused_by_its_setting_and_not_repeated(
    secrets: Secrets, value: str
) -> None:
    with pytest.raises(ConfigError, match=r"auth\.password") as raised:
        read(secrets, auth={"password": value})
    assert raised.value.code == "config.secret-inline"
    assert value not in f"{raised.value}{raised.value.fix}"


def test_addresses_are_no_references(secrets: Secrets) -> None:
    for url in ("https://a.example/x", "localhost:2575", "urn:oid:1.2.3"):
        assert read(secrets, url=url).url == url


def test_a_secret_that_was_read_is_in_no_log_line(secrets: Secrets) -> None:
    read(secrets, key="file:key")
    event = no_secrets(None, "info", {"event": "x", "all": ["PLANTED-of-file"], "n": 1})

    assert event == {"event": "x", "all": "['[secret]']", "n": 1}
    assert without("key=PLANTED-of-file.") == "key=[secret]."
