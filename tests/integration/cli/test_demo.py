"""`adapter demo --json`: three journeys, each ending in what the EMR itself received."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

pytestmark = pytest.mark.network

ADAPTER = [sys.executable, "-m", "adapter.cli"]
KINDS = {
    "ServiceRequest", "Task", "Patient", "PractitionerRole", "Practitioner", "Organization",
    "Condition", "Consent", "QuestionnaireResponse", "Procedure",
}  # fmt: skip


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    done = subprocess.run(
        [*ADAPTER, "demo", "--json"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


@pytest.fixture(scope="module")
def journeys(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["story"]: each for each in told["journeys"]}


def test_it_takes_less_than_thirty_seconds(told: dict[str, Any]) -> None:
    assert told["seconds"] < 30


def test_the_three_stories_end_as_they_should(journeys: dict[str, dict[str, Any]]) -> None:
    ends = {
        story: (each["status"], each["fulfilments"][0]["status"])
        for story, each in journeys.items()
    }
    assert ends == {
        "completed": ("completed", "completed"),
        "declined": ("active", "rejected"),
        "cancelled": ("revoked", "cancelled"),
    }
    assert journeys["declined"]["fulfilments"][0]["reason"] == "waitlist-full"


@pytest.mark.parametrize(
    ("story", "kinds"),
    [
        ("completed", ["RRI^I12", "ORU^R01"]),
        ("declined", ["RRI^I12"]),
        ("cancelled", ["RRI^I14"]),
    ],
)
def test_each_journey_ends_in_what_the_emr_received(
    journeys: dict[str, dict[str, Any]], story: str, kinds: list[str]
) -> None:
    received = journeys[story]["emr_received"]
    assert all(message.startswith("MSH|") for message in received)
    found = ["^".join(each.split("|")[8].split("^")[:2]) for each in received]
    for kind in kinds:
        assert kind in found


@pytest.mark.parametrize("story", ["completed", "declined", "cancelled"])
def test_each_journey_is_told_in_the_order_of_time_by_all_parties(
    journeys: dict[str, dict[str, Any]], story: str
) -> None:
    steps = journeys[story]["steps"]
    assert [each["at"] for each in steps] == sorted(each["at"] for each in steps)
    assert {"EMR", "agency", "clinic"} <= {each["actor"] for each in steps}
    assert all(each["what"] for each in steps)


@pytest.mark.parametrize("story", ["completed", "declined", "cancelled"])
def test_each_record_is_valid_fhir_without_dangling_references(
    journeys: dict[str, dict[str, Any]], story: str
) -> None:
    bundle = journeys[story]["bundle"]
    Bundle.model_validate(bundle)
    present = {
        f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in bundle["entry"]
    }
    referred = {target for each in bundle["entry"] for target in local_references(each["resource"])}
    assert referred <= present


def test_the_completed_record_has_every_promised_resource(
    journeys: dict[str, dict[str, Any]],
) -> None:
    entries = journeys["completed"]["bundle"]["entry"]
    assert {each["resource"]["resourceType"] for each in entries} >= KINDS


def local_references(node: Any) -> list[str]:
    if isinstance(node, dict):
        target = node.get("reference")
        own = [target] if isinstance(target, str) and "://" not in target and "/" in target else []
        return own + [each for value in node.values() for each in local_references(value)]
    if isinstance(node, list):
        return [each for value in node for each in local_references(value)]
    return []


def test_serve_says_where_it_is_and_stays_until_it_is_ended() -> None:
    process = subprocess.Popen(
        [*ADAPTER, "demo", "--serve", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["event"] == "ready"
        assert "/sites/agency/" in ready["link"]
        with urllib.request.urlopen(ready["fhir"] + "/Task", timeout=10) as answer:
            assert len(json.load(answer)["entry"]) == 4
        with urllib.request.urlopen(ready["link"], timeout=10) as answer:
            assert b"<form" in answer.read()
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 130
    finally:
        process.kill()
        process.communicate()


def test_a_demonstration_that_is_killed_leaves_no_service_behind() -> None:
    process = subprocess.Popen(
        [*ADAPTER, "demo", "--serve", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        service = json.loads(process.stdout.readline())["pid"]
    finally:
        process.kill()
        process.communicate()
    assert gone(service, patience=12)


def gone(pid: int, *, patience: float) -> bool:
    """Whether a process, which is no child of ours, ends in time."""
    until = time.monotonic() + patience
    while time.monotonic() < until:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
