"""Each wrong plugin fails its own requirement, and no other one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from wrong import MUTANTS, base

from adapter_conformance.checks import life
from adapter_conformance.requirement import requirements
from adapter_conformance.run import examine


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enough to see a leak of 20 kB a message; the kit itself takes more."""
    monkeypatch.setattr(life, "ROUNDS", 8)


def test_every_requirement_has_its_mutant_and_no_mutant_is_without_one() -> None:
    assert set(MUTANTS) == {each.id for each in requirements()}


def test_there_are_at_least_31_requirements() -> None:
    assert len(requirements()) >= 31


def test_the_example_plugin_passes_every_requirement() -> None:
    outcome = examine(base())

    assert [each for each in outcome.results if each.word != "pass"] == []
    assert outcome.level == "Complete"


@pytest.mark.parametrize("requirement", sorted(MUTANTS), ids=lambda each: f"mutant-{each}")
def test_a_mutant_fails_exactly_its_requirement(requirement: str, tmp_path: Path) -> None:
    outcome = examine(MUTANTS[requirement](tmp_path))

    failed = {each.requirement.id: each.detail for each in outcome.results if each.word == "fail"}
    assert set(failed) == {requirement}, failed
    assert outcome.level != "Complete"
