"""A plugin that prints or never ends spoils neither the report nor the time of who waits for it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from adapter.plugin import Check
from adapter_conformance import run
from adapter_conformance.report import as_document
from adapter_conformance.run import examine
from adapter_conformance.subject import Subject, installed
from adapter_reference.system import Reference


class Loud(Reference):
    """It prints whatever it does."""

    async def check(self) -> list[Check]:
        print("loud")
        return await super().check()


class Stuck(Reference):
    """It holds the event loop for a while at every check."""

    async def check(self) -> list[Check]:
        time.sleep(1.0)  # noqa: ASYNC251 - that is what it does wrong
        return await super().check()


def subject(system: Any) -> Subject:
    made = installed("reference")
    made.system, made.others = system, ()
    return made


def test_what_a_plugin_prints_is_a_fault_and_not_on_the_screen(
    capfd: pytest.CaptureFixture[str],
) -> None:
    outcome = examine(subject(Loud), only=["lifecycle.check-passes", "privacy.output"])

    failed = {e.requirement.id: e.detail for e in outcome.results if e.word == "fail"}
    assert list(failed) == ["privacy.output"]
    assert "it prints" in failed["privacy.output"]
    assert capfd.readouterr() == ("", "")


def test_after_two_checks_that_do_not_end_nothing_more_is_tried(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "GRACE", 0.1)
    monkeypatch.setattr(run, "LOOK", 0.02)
    outcome = examine(subject(Stuck), seconds=0.4)

    print(json.dumps(as_document(outcome)))
    told = json.loads(capfd.readouterr().out)
    late = [e for e in told["requirements"] if e["detail"].startswith("it was not done after")]
    left = [e for e in told["requirements"] if "nothing more was tried" in e["detail"]]
    assert len(late) == run.ENOUGH
    assert all(late[0]["id"] in each["detail"] for each in left)
    assert len(left) > 20
    assert told["level"] is None
