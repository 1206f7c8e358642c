"""Each wrong FHIR server fails its own requirement of an endpoint, and no other one."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from wrong_endpoint import ENDPOINT_MUTANTS, TOKEN, right

from adapter_conformance.endpoint.catalogue import endpoint_requirements
from adapter_conformance.endpoint.checks import notices
from adapter_conformance.endpoint.client import Bearer, Client
from adapter_conformance.endpoint.endpoint import ROLES, Endpoint, Role
from adapter_conformance.endpoint.run import examine_endpoint
from adapter_conformance.fakes.fhir_server import FhirServer
from adapter_conformance.run import Outcome

pytestmark = pytest.mark.network


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notices of a fake come at once or never."""
    monkeypatch.setattr(notices, "SECONDS", 0.5)


def examined(server: FhirServer, role: Role = "intermediary") -> Outcome:
    """The kit against it, in process."""
    auth = Bearer(server.base, TOKEN)
    road = httpx.ASGITransport(server.app, raise_app_exceptions=False)
    endpoint = Endpoint(role, Client(server.base, auth=auth, secrets=(TOKEN,), road=road))
    endpoint.has_token = True
    return examine_endpoint(endpoint)


def test_every_requirement_of_an_endpoint_has_its_mutant() -> None:
    assert set(ENDPOINT_MUTANTS) == {each.id for each in endpoint_requirements()}
    assert {each.id for role in ROLES for each in endpoint_requirements(role)} == set(
        ENDPOINT_MUTANTS
    )


@pytest.mark.parametrize("role", ROLES)
def test_the_strict_server_passes_every_requirement_of_a_role(role: Role) -> None:
    server = right()
    outcome = examined(server, role)

    assert [
        (each.requirement.id, each.detail) for each in outcome.results if each.word != "pass"
    ] == []
    assert outcome.level == "Complete"
    assert len(outcome.results) == len(endpoint_requirements(role))


@pytest.mark.parametrize("requirement", sorted(ENDPOINT_MUTANTS), ids=lambda each: f"mutant-{each}")
def test_an_endpoint_mutant_fails_exactly_its_requirement(requirement: str) -> None:
    outcome = examined(right(ENDPOINT_MUTANTS[requirement]))

    failed = {each.requirement.id: each.detail for each in outcome.results if each.word == "fail"}
    assert set(failed) == {requirement}, failed
    assert outcome.level != "Complete"
