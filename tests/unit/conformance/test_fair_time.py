"""A check is held to time that its process could use, on a busy machine too."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from adapter_conformance import fair_time, run
from adapter_conformance.fair_time import FairClock, queued
from adapter_conformance.requirement import requirements


class Machine:
    """Time and the kernel's numbers, as a test wants them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.now = 100.0
        monkeypatch.setattr(fair_time.time, "monotonic", lambda: self.now)

    def thread(self, number: int, waited: float) -> None:
        (self.folder / str(number)).mkdir(exist_ok=True)
        (self.folder / str(number) / "schedstat").write_text(f"7 {int(waited * 1e9)} 3\n")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path, monkeypatch)
    made.thread(1, 5.0)
    return made


def test_waiting_for_a_processor_does_not_count(machine: Machine) -> None:
    clock = FairClock(machine.folder)
    machine.now += 10.0
    machine.thread(1, 5.0 + 9.0)

    assert clock.elapsed() == pytest.approx(1.0)


def test_waiting_for_anything_else_counts(machine: Machine) -> None:
    clock = FairClock(machine.folder)
    machine.now += 10.0

    assert clock.elapsed() == pytest.approx(10.0)


def test_threads_that_wait_at_the_same_time_are_not_added_up(machine: Machine) -> None:
    clock = FairClock(machine.folder)
    machine.now += 10.0
    machine.thread(1, 5.0 + 4.0)
    machine.thread(2, 4.0)

    assert clock.elapsed() == pytest.approx(6.0)


def test_a_thread_that_ends_takes_nothing_back(machine: Machine) -> None:
    machine.thread(2, 0.0)
    clock = FairClock(machine.folder)
    machine.now += 4.0
    machine.thread(2, 3.0)
    assert clock.elapsed() == pytest.approx(1.0)
    (machine.folder / "2" / "schedstat").unlink()
    machine.now += 1.0

    assert clock.elapsed() == pytest.approx(2.0)


def test_where_the_kernel_does_not_say_the_load_average_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "1").mkdir()
    now = [100.0]
    monkeypatch.setattr(fair_time.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(fair_time.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(fair_time.os, "getloadavg", lambda: (8.0, 0.0, 0.0))
    clock = FairClock(tmp_path)
    now[0] += 8.0

    assert queued(tmp_path) == {}
    assert queued(tmp_path / "nowhere") == {}
    assert clock.elapsed() == pytest.approx(2.0)


@pytest.mark.parametrize("stubborn", [False, True], ids=["awaits", "swallows being cancelled"])
def test_a_check_that_never_ends_is_ended(stubborn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "GRACE", 0.1)

    async def look(subject: object) -> None:
        for _ in range(1 + 2 * stubborn):
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                if not stubborn:
                    raise

    wanted = next(iter(requirements()))
    never = type("Never", (), {"id": wanted.id, "look": staticmethod(look)})

    with pytest.raises(TimeoutError):
        run._held(never(), None, 0.2, [])  # type: ignore[arg-type]
