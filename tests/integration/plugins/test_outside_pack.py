"""A plugin from outside the repository: found, allowed, checked and run, with no change in ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from adapter.security.keyring import Keyring

PACK = {
    "pyproject.toml": """
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"
[project]
name = "town-hall-postbox"
version = "2.3"
description = "Writes what is delivered into a folder."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["social-prescribing-adapter"]
[project.entry-points."adapter.plugins"]
postbox = "town_hall_postbox"
[tool.hatch.build.targets.wheel]
packages = ["town_hall_postbox"]
""",
    "README.md": "# postbox\n",
    "town_hall_postbox/__init__.py": '''
from adapter.plugin import SystemSpec, hookimpl

@hookimpl
def register_systems():
    spec = "town_hall_postbox.system:Postbox"
    return [SystemSpec(name="postbox", system=spec, summary="A folder")]

@hookimpl
def register_commands():
    return {"hello": hello}

def hello(name: str) -> None:
    """Greet."""
    print("hello", name)
''',
    "town_hall_postbox/system.py": """
from pathlib import Path
from adapter.plugin import FULL, Capabilities, Check, Delivered, System, SystemConfig
from pydantic import Field

class Config(SystemConfig):
    folder: str = Field(description="where to write")

class Postbox(System):
    name = "postbox"
    Config = Config
    capabilities = Capabilities(delivers=FULL, outbound_kinds={"request": "note"})

    async def check(self):
        there = Path(self.config.folder).is_dir()
        return [Check(name="folder", state="ok" if there else "fail", detail="looked")]

    async def deliver(self, message):
        Path(self.config.folder, message.id).write_bytes(message.body)
        return Delivered(external_ids={"file": message.id})
""",
}
CONFIG = """
organization = "Town hall"
[store]
url = "sqlite:///adapter.sqlite3"
key = "file:adapter.key"
[plugins]
enabled = {enabled}
[sites.box]
system = "postbox"
role = "performer"
organization = "Town hall"
test = true
[sites.box.settings]
folder = "{folder}"
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has installed the pack; the folder that it was made in is gone."""
    made = tmp_path_factory.mktemp("elsewhere")
    for name, text in PACK.items():
        file = made / "pack" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    target = made / "site"
    subprocess.run(
        [
            sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps",
            "--no-build-isolation", "--disable-pip-version-check", "--target", target,
            made / "pack",
        ],
        check=True,
    )  # fmt: skip
    shutil.rmtree(made / "pack")
    return target


DRIVER = """
import asyncio
import json
from pathlib import Path
from typer.testing import CliRunner
from adapter.cli.main import app
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages

said = {}

def command(name, *words):
    done = CliRunner().invoke(app, [*words])
    said[name] = [done.exit_code, done.stdout]

async def delivers():
    service = Service.open(load_config(Path("adapter.toml")), pages=Pages())
    await service.start()
    service.store.write_now(lambda tx: tx.outbox.add(
        organization="Town hall", referral="r", destination="box", event="answer", kind="note",
        document={}, test=True))
    service.courier.wake.set()
    for _ in range(600):
        if list(Path("out").iterdir()):
            break
        await asyncio.sleep(0.05)
    await service.stop(1.0)

command("list", "plugins", "list", "--json")
command("refused", "sites", "check", "--json")
file = Path("adapter.toml")
file.write_text(file.read_text().replace("enabled = []", 'enabled = ["postbox"]'))
command("allowed", "sites", "check", "--json")
command("show", "plugins", "show", "postbox", "--json")
command("check", "plugins", "check", "postbox", "--strict", "--json")
command("hello", "postbox", "hello", "town")
command("conform", "conform", "postbox", "--json")
asyncio.run(delivers())
print(json.dumps(said))
"""


def test_it_is_found_allowed_checked_and_run(site: Path, tmp_path: Path) -> None:
    (tmp_path / "adapter.key").write_text(Keyring.generate().to_text())
    (tmp_path / "out").mkdir()
    (tmp_path / "adapter.toml").write_text(CONFIG.format(enabled="[]", folder=tmp_path / "out"))
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])

    (row,) = [each for each in shown(said["list"], 0) if each["name"] == "postbox"]
    assert (row["state"], row["version"], row["distribution"]) == (
        "installed",
        "2.3",
        "town-hall-postbox",
    )
    assert "not enabled" in said["refused"][1]
    assert said["refused"][0] == 3
    assert [row["state"] for row in shown(said["allowed"], 0)] == ["ok"]
    document = shown(said["show"], 0)
    assert (document["state"], document["commands"]) == ("enabled", ["hello"])
    schema = document["systems"][0]["schema"]
    assert schema["properties"]["folder"]["description"] == "where to write"
    assert schema["required"] == ["folder"]
    assert shown(said["check"], 0)[0]["state"] == "ok"
    assert said["hello"] == [0, "hello town\n"]
    assert json.loads(said["conform"][1])["plugin"] == "postbox"
    assert len(list((tmp_path / "out").iterdir())) == 1


def shown(said: list[Any], code: int) -> Any:
    """What a command printed, which ended with this code."""
    assert said[0] == code
    return json.loads(said[1])
