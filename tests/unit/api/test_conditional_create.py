"""If-None-Exist: exactly one, however many ask at once."""

from __future__ import annotations

import asyncio
import os

import httpx
import pytest

from tests.unit.api import people

pytestmark = pytest.mark.anyio
ROUNDS = int(os.environ.get("ADAPTER_ROUNDS", "4"))
"""ADAPTER_ROUNDS=100 is the whole count."""


async def test_64_parallel_identical_creates_make_exactly_one(api: httpx.AsyncClient) -> None:
    for round_ in range(ROUNDS):
        number = f"P-C{round_}"
        headers = {"If-None-Exist": f"identifier=urn:oid:2.999.1|{number}"}
        answers = await asyncio.gather(
            *(api.post("/Patient", json=people.patient(number), headers=headers) for _ in range(64))
        )
        statuses = sorted(each.status_code for each in answers)
        assert statuses == [200] * 63 + [201]
        assert len({each.json()["id"] for each in answers}) == 1
        found = await api.get("/Patient", params={"identifier": number})
        assert found.json()["total"] == 1


async def test_a_condition_that_finds_several_is_412(api: httpx.AsyncClient) -> None:
    for _ in range(2):
        await api.post("/Patient", json=people.patient("P-D"))
    headers = {"If-None-Exist": "identifier=P-D"}
    answer = await api.post("/Patient", json=people.patient("P-D"), headers=headers)
    assert answer.status_code == 412
    assert answer.json()["issue"][0]["code"] == "multiple-matches"


async def test_a_condition_that_is_not_understood_creates_nothing(api: httpx.AsyncClient) -> None:
    headers = {"If-None-Exist": "banana=1"}
    answer = await api.post("/Patient", json=people.patient("P-E"), headers=headers)
    assert answer.status_code == 400
    found = await api.get("/Patient", params={"identifier": "P-E"})
    assert found.json()["total"] == 0
