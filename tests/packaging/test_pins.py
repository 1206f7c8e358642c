from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(
    r"^([A-Za-z0-9._-]+)==([^ ;]+)(?: ; (.+?))? \\\n"
    r"((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    re.M,
)
FILES = ["requirements/development.txt", "requirements/runtime.txt"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(file: str) -> dict[str, str]:
    found = PIN.findall((ROOT / file).read_text("utf-8"))
    return {normal(name): version for name, version, _, _ in found}


def wanted() -> list[tuple[str, Requirement]]:
    listed: list[tuple[str, Requirement]] = []
    for file in [ROOT / "pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]:
        table = tomllib.loads(file.read_text("utf-8"))
        project = table["project"]
        texts = [
            *project.get("dependencies", []),
            *(
                each
                for extra in project.get("optional-dependencies", {}).values()
                for each in extra
            ),
        ]
        ours = [("runtime", Requirement(text)) for text in texts]
        dev = [
            ("development", Requirement(text))
            for group in table.get("dependency-groups", {}).values()
            for text in group
        ]
        listed += [
            (kind, each)
            for kind, each in ours + dev
            if not each.name.startswith("social-prescribing-adapter")
        ]
    return listed


@pytest.mark.parametrize("file", FILES)
def test_pins_hold_names_versions_and_hashes_and_nothing_else(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    assert PIN.sub("", text).strip() == ""
    assert len(pins(file)) > 30
    assert "://" not in text


@pytest.mark.parametrize(("kind", "requirement"), wanted(), ids=str)
def test_every_declared_package_is_pinned_at_a_version_that_it_allows(
    kind: str, requirement: Requirement
) -> None:
    files = FILES if kind == "runtime" else FILES[:1]
    for file in files:
        version = pins(file).get(normal(requirement.name))
        assert version is not None, f"{requirement.name} is not in {file}; run: make pins"
        assert requirement.specifier.contains(version, prereleases=True), "run: make pins"


def test_what_runs_in_production_is_what_is_tested() -> None:
    tested = pins(FILES[0])
    assert {name: tested.get(name) for name in pins(FILES[1])} == pins(FILES[1])


def test_this_environment_is_the_pinned_one() -> None:
    from importlib import metadata

    installed = {normal(each.name): each.version for each in metadata.distributions()}
    here = {
        normal(name): version
        for name, version, marker, _ in PIN.findall((ROOT / FILES[0]).read_text("utf-8"))
        if not marker or Requirement(f"x; {marker}").marker.evaluate(default_environment())  # type: ignore[union-attr]
    }
    assert {name: installed.get(name) for name in here} == here, "run: make env"
