"""Loops that close over FHIR servers, with real services and the kit's server on loopback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import scenarios
from fhir_stage import Server

from adapter_conformance.fakes.fhir_server import FhirServer
from adapter_conformance.fakes.serving import on_loopback

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def peer() -> Iterator[Server]:
    """A server with HAPI's ways."""
    fake = FhirServer("hapi")
    with on_loopback(fake.app) as address:
        fake.address = address
        server = Server(fake.base)
        yield server
        server.close()


def test_a_referral_goes_through_a_hub_to_an_agencys_server_and_its_outcome_comes_back(
    tmp_path: Path, peer: Server
) -> None:
    found = scenarios.emr_and_agency(tmp_path, peer, peer, flow="hosted-there")

    assert found["request"]["intent"] == "filler-order"
    assert found["request"]["basedOn"][0]["reference"] == found["made"]["ServiceRequest"]
    assert found["agency"]["partOf"][0]["reference"] == found["made"]["Task"]


def test_in_the_direct_flow_the_agencys_adapter_reads_the_request_at_the_first(
    tmp_path: Path, peer: Server
) -> None:
    found = scenarios.two_adapters(tmp_path, peer, peer, flow="direct")

    assert found["emr"]["status"] == "completed"


def test_a_task_that_is_hosted_here_is_carried_out_by_an_adapter_elsewhere(tmp_path: Path) -> None:
    found = scenarios.light_on_us(tmp_path)

    assert found["clinic"]["status"] == "completed"


def test_a_subscription_on_our_own_server_brings_the_task_without_asking(tmp_path: Path) -> None:
    found = scenarios.light_on_us(tmp_path, told=True)

    assert found["clinic"]["status"] == "completed"


def test_a_decline_comes_back_in_words_and_a_second_task_is_a_second_try(
    tmp_path: Path, peer: Server
) -> None:
    found = scenarios.referred_again(tmp_path, peer, peer)

    assert found["declined"]["statusReason"]["text"] == "no places left"
    assert found["first"]["focus"] == found["second"]["focus"]
