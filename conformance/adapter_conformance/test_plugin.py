"""Every requirement as a test; import everything of this module to make them your own."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter_conformance.report import write
from adapter_conformance.requirement import Requirement, requirements
from adapter_conformance.run import Outcome, examine
from adapter_conformance.subject import installed

__all__ = ["outcome", "test_requirement"]


@pytest.fixture(scope="session")
def outcome(plugin_name: str, pytestconfig: pytest.Config) -> Outcome:
    """One run of the whole kit; a report is written if one is asked for."""
    found = examine(installed(plugin_name))
    report: str | None = pytestconfig.getoption("--conformance-report", default=None)
    if report:
        write(found, Path(report))
    return found


@pytest.mark.parametrize("requirement", requirements(), ids=lambda each: each.id)
def test_requirement(requirement: Requirement, outcome: Outcome) -> None:
    """It passes; or it is skipped, with the reason."""
    result = next(each for each in outcome.results if each.requirement.id == requirement.id)
    if result.word == "fail":
        pytest.fail(f"{requirement.title}: {result.detail}", pytrace=False)
    if result.word != "pass":
        pytest.skip(f"{result.word}: {result.detail}")
