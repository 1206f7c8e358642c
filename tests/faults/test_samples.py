"""A sample of every kind of fault that `make faults` tries: nothing is lost, nothing done twice."""

from __future__ import annotations

import asyncio
import base64
import importlib
import random
from argparse import Namespace
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.canary import MARK, search
from tests.faults.platter import may_mount
from tests.faults.power import NOT_ALLOWED
from tests.faults.results import Results, Row
from tests.faults.run_faults import KINDS, Run
from tests.faults.tour import Tour

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def tour(loop: asyncio.Runner) -> Iterator[Tour]:
    stack = AsyncExitStack()
    yield Tour(Results(None), "sample", random.randrange(2**32), stack)
    loop.run(stack.aclose())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_or_done_twice(loop: asyncio.Runner, tour: Tour, kind: str) -> None:
    if kind == "power" and not may_mount():
        pytest.skip(NOT_ALLOWED)
    loop.run(importlib.import_module(f"tests.faults.{kind}").run(tour))

    rows = [row for row in tour.results.rows.values() if row.kind == kind]
    print(tour.results.table())
    assert sum(row.runs for row in rows) > 0, f"seed {tour.seed}"
    wrong = [row for row in rows if row.lost or row.duplicated]
    assert wrong == [], f"seed {tour.seed}"


@pytest.mark.parametrize("before", range(3))
def test_the_search_for_canaries_finds_what_is_planted(tmp_path: Path, before: int) -> None:
    word = b"x" * before + f"{MARK}0a1bFami and more".encode()
    for name, held in (
        ("plain", word), ("upper", word.upper()), ("hex", word.hex().encode()),
        ("utf-16", word.decode().encode("utf-16-le")), ("base64", base64.b64encode(word)),
        ("nothing", base64.b64encode(random.randbytes(4_000_000))),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(held)
        assert bool(search([tmp_path / name])[0]) == (name != "nothing"), name


def test_a_row_that_lost_something_makes_the_run_fail() -> None:
    results = Results(None)
    row = results.add("fault", "kill", "sqlite", acknowledged=3, effects=3, recovery=1.5)
    assert results.sound
    assert row == Row("fault", "kill", "sqlite", 1, 3, 3, 0, 0, 1.5)
    for wrong in ({"lost": 1}, {"duplicated": 1}, {"recovery_s": 10.0}):
        results.rows["", "", ""] = replace(row, **wrong)
        assert not results.sound


def test_a_run_that_was_broken_off_goes_on_with_what_is_left(tmp_path: Path) -> None:
    output = tmp_path / "faults.json"
    arguments = Namespace(output=output, only=["audit", "kill"], quick=True, seed=7)
    run, results = Run(arguments), Results(output)
    results.add("edited", "audit", "sqlite", runs=3)
    results.complete("audit")
    results.add("kill -9", "kill", "sqlite", runs=1)
    results.write()
    run.done.append("audit")
    run.keep()

    again, rows = Run(Namespace(output=output, only=None, quick=False, seed=8)), Results(output)
    again.resume()
    rows.take_up(set(again.done))

    assert (again.kinds, again.scale, again.seed) == (("audit", "kill"), "quick", 7)
    assert again.done == ["audit"]
    assert [(row.kind, row.runs, row.complete) for row in rows.rows.values()] == [
        ("audit", 3, True)
    ]
    again.done.append("kill")
    again.keep()
    assert not again.path.exists()
