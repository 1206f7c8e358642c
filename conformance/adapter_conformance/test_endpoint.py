"""Every requirement of an endpoint as a test; import everything of it to make them your own."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapter_conformance.endpoint.catalogue import endpoint_requirements
from adapter_conformance.endpoint.endpoint import Endpoint
from adapter_conformance.endpoint.run import examine_endpoint
from adapter_conformance.report import write
from adapter_conformance.requirement import Requirement
from adapter_conformance.run import Outcome

__all__ = ["endpoint_outcome", "test_endpoint_requirement"]


@pytest.fixture(scope="session")
def endpoint_outcome(endpoint: Endpoint, pytestconfig: pytest.Config) -> Outcome:
    """One run of the whole suite; a report is written if one is asked for."""
    found = examine_endpoint(endpoint)
    report: str | None = pytestconfig.getoption("--conformance-report", default=None)
    if report:
        write(found, Path(report))
    return found


@pytest.mark.parametrize("requirement", endpoint_requirements(), ids=lambda each: each.id)
def test_endpoint_requirement(requirement: Requirement, endpoint_outcome: Outcome) -> None:
    """It passes; or it is skipped, with the reason."""
    found = [e for e in endpoint_outcome.results if e.requirement.id == requirement.id]
    if not found:
        pytest.skip(f"it is asked only as {' or '.join(requirement.roles)}")
    if found[0].word == "fail":
        pytest.fail(f"{requirement.title}: {found[0].detail}", pytrace=False)
    if found[0].word != "pass":
        pytest.skip(f"{found[0].word}: {found[0].detail}")
