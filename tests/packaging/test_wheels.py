"""The wheels, as somebody else would get them: built, installed into a clean environment, used."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DISTRIBUTIONS = [ROOT, *sorted(file.parent for file in ROOT.glob("plugins/*/pyproject.toml"))]
PROBE = """
import json, sys
from importlib import metadata, resources
from pathlib import Path
import adapter, adapter_mappings, adapter_conformance
from adapter.exchange.packs import formats_of, packs_of
from adapter.exchange.plugins import load_plugins

root = Path(sys.argv[1])
assert not Path(adapter.__file__).is_relative_to(root), adapter.__file__
plugins = load_plugins(None)
failed = {each.name: each.reason for each in plugins.loaded if each.state != "enabled"}
assert not failed, failed
packs = [
    each.name for each in resources.files(adapter_mappings).iterdir()
    if each.is_dir() and (each / "pack.toml").is_file()
]
loaded = packs_of(None, plugins, formats_of(plugins))
assert set(packs) <= set(loaded.packs), (packs, list(loaded.packs))
assert loaded.maps
print(json.dumps({"plugins": sorted(plugins.systems), "packs": sorted(packs)}))
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--no-index", "--wheel-dir", folder, *map(str, DISTRIBUTIONS)], check=True
    )
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def clean(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with our wheels, and third-party packages alone from the one that runs this.

    The running environment's own .pth files are not read there, so that nothing editable shows.
    """
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "env" / "lib" / version / "site-packages"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps",
         "--no-index", *map(str, wheels)],
        check=True,
    )  # fmt: skip
    (site / "third-party.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "env"


def test_every_distribution_makes_one_wheel(wheels: list[Path]) -> None:
    assert len(wheels) == len(DISTRIBUTIONS)


def test_wheels_hold_every_data_file_of_the_source(wheels: list[Path]) -> None:
    inside = {name for wheel in wheels for name in zipfile.ZipFile(wheel).namelist()}
    listed = subprocess.run(
        ["git", "ls-files", "adapter", "mappings", "conformance", "plugins"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    missing = []
    for file in listed:
        path = file
        for prefix in ("mappings/", "conformance/"):
            path = path.removeprefix(prefix)
        if path.startswith("plugins/"):
            path = "/".join(path.split("/")[2:])
        shipped = path.startswith("adapter") and "/" in path
        if shipped and (ROOT / file).exists() and path not in inside:
            missing.append(file)
    assert missing == []


def test_wheels_hold_no_tests(wheels: list[Path]) -> None:
    inside = [name for wheel in wheels for name in zipfile.ZipFile(wheel).namelist()]
    kit = ("adapter_conformance/", "adapter/cli/scaffold/templates/")
    found = [name for name in inside if "tests/" in name or "test_" in name]
    assert [name for name in found if not name.startswith(kit)] == []


def test_a_clean_installation_loads_every_plugin_and_pack(clean: Path) -> None:
    done = subprocess.run(
        [clean / "bin" / "python", "-c", PROBE, str(ROOT)],
        capture_output=True, text=True, cwd=clean, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert {"hl7v2", "link"} <= set(found["plugins"])
    assert {"fhir_r4", "hl7v2_ref"} <= set(found["packs"])


def test_a_clean_installation_has_the_command(clean: Path) -> None:
    done = subprocess.run(
        [clean / "bin" / "adapter", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "adapter [OPTIONS] COMMAND" in done.stdout
