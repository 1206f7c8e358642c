"""`adapter clients add`: what is refused, and what is said of a name that nobody here has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from adapter.cli.clients import app
from adapter.plugin.errors import DataError
from adapter.security.keyring import Keyring

CONFIG = """
organization = "Test community health"
[store]
url = "sqlite:///adapter.sqlite3"
key = "file:adapter.key"
[sites.agency]
system = "link"
role = "performer"
organization = "Test agency"
test = true
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "adapter.key").write_text(Keyring.generate().to_text())
    (tmp_path / "adapter.toml").write_text(CONFIG)
    key = ECKey.generate_key("P-384", {"kid": "k-1", "alg": "ES384", "use": "sig"})
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    return tmp_path


def add(folder: Path, organization: str, jwks: str = "") -> Any:
    return CliRunner().invoke(
        app,
        ["add", "EMR", "--organization", organization, "--jwks", jwks or str(folder / "keys.json"),
         "--scope", "system/Task.rus", "--config", str(folder / "adapter.toml"), "--json"],
    )  # fmt: skip


@pytest.mark.parametrize("address", ["http://keys.example.org/jwks", "http://10.0.0.1/jwks"])
def test_keys_are_not_fetched_over_plain_http(folder: Path, address: str) -> None:
    found = add(folder, "Test agency", address)
    assert isinstance(found.exception, DataError)
    assert found.exception.code == "client.key-set"


def test_on_this_machine_plain_http_is_enough_for_tests(folder: Path) -> None:
    found = add(folder, "Test agency", "http://127.0.0.1:9/jwks")
    assert json.loads(found.stdout)["keys"] == "http://127.0.0.1:9/jwks"


@pytest.mark.parametrize(
    ("organization", "known"),
    [("Test agency", True), ("Test community health", True), ("Test agencey", False)],
)
def test_a_name_that_nobody_here_has_is_taken_with_a_warning(
    folder: Path, organization: str, known: bool
) -> None:
    found = add(folder, organization)
    assert json.loads(found.stdout)["organization_known"] is known
    assert ("Warning: no site, program or Organization" in found.stderr) is not known
