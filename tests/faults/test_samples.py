"""A sample of every kind of fault that `make faults` tries: nothing is lost, nothing done twice."""

from __future__ import annotations

import asyncio
import importlib
import random
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.faults.results import Results, Row
from tests.faults.run_faults import KINDS
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
    loop.run(importlib.import_module(f"tests.faults.{kind}").run(tour))

    rows = [row for row in tour.results.rows.values() if row.kind == kind]
    print(tour.results.table())
    assert sum(row.runs for row in rows) > 0, f"seed {tour.seed}"
    wrong = [row for row in rows if row.lost or row.duplicated]
    assert wrong == [], f"seed {tour.seed}"


def test_a_row_that_lost_something_makes_the_run_fail() -> None:
    results = Results(None)
    row = results.add("fault", "kill", "sqlite", acknowledged=3, effects=3, recovery=1.5)
    assert results.sound
    assert row == Row("fault", "kill", "sqlite", 1, 3, 3, 0, 0, 1.5)
    for wrong in ({"lost": 1}, {"duplicated": 1}, {"recovery_s": 10.0}):
        results.rows["", "", ""] = replace(row, **wrong)
        assert not results.sound
