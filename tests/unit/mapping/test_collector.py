"""The collector of cycles waits for maps and checks, and runs on afterwards whatever happened."""

from __future__ import annotations

import gc
from contextlib import suppress
from threading import Barrier, Thread

import pytest

from adapter.fhir import checks
from adapter.plugin.collector import CollectorWaits


def test_it_waits_inside_and_runs_on_after_an_error() -> None:
    seen = []
    with suppress(KeyError), CollectorWaits():
        seen.append(gc.isenabled())
        raise KeyError
    assert seen == [False]
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        with CollectorWaits():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_one_wait_within_another_ends_with_the_outer_one() -> None:
    with CollectorWaits():
        with CollectorWaits():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_after_waits_of_several_threads_it_runs() -> None:
    barrier = Barrier(4)

    def wait() -> None:
        for _ in range(200):
            barrier.wait()
            with CollectorWaits():
                pass

    threads = [Thread(target=wait) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert gc.isenabled()


def test_a_resource_is_checked_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(checks, "check_base", lambda _: seen.append(gc.isenabled()) or [])
    checks.check({"resourceType": "Task", "status": "requested", "intent": "order"})
    assert seen == [False]
    assert gc.isenabled()
