"""/metadata is true: each claim is tried."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter.fhir.checks import check

pytestmark = pytest.mark.anyio
SAMPLE = {
    "token": "x",
    "string": "x",
    "reference": "Patient/absent",
    "date": "ge2020-01-01",
    "uri": "urn:x",
}
Json = dict[str, Any]


@pytest.fixture
async def resources(api: httpx.AsyncClient) -> list[Json]:
    """What each type is claimed to do."""
    statement = (await api.get("/metadata")).json()
    assert check(statement) == []
    listed: list[Json] = statement["rest"][0]["resource"]
    return listed


async def test_every_search_parameter_and_include_is_known(
    api: httpx.AsyncClient, resources: list[Json]
) -> None:
    asked = 0
    for each in resources:
        address = f"/{each['type']}"
        for param in each["searchParam"]:
            answer = await api.get(address, params={param["name"]: SAMPLE[param["type"]]})
            assert answer.status_code == 200, (address, param)
            asked += 1
        for name in ("Include", "RevInclude"):
            for value in each.get(f"search{name}", ()):
                answer = await api.get(address, params={f"_{name.lower()}": value})
                assert answer.status_code == 200, (address, value)
                asked += 1
    assert asked > 150


async def test_every_interaction_is_there_and_no_other(
    api: httpx.AsyncClient, resources: list[Json]
) -> None:
    for each in resources:
        kind = each["type"]
        if kind == "ConceptMap":  # nobody writes them: test_terminology.py
            continue
        claimed = {one["code"] for one in each["interaction"]}
        assert {"read", "vread", "history-instance", "search-type", "create", "update"} <= claimed
        body = {"resourceType": kind, "id": "absent", "unknown": 1}
        tried = {
            "read": (await api.get(f"/{kind}/absent")).status_code == 404,
            "vread": (await api.get(f"/{kind}/absent/_history/1")).status_code == 404,
            "history-instance": (await api.get(f"/{kind}/absent/_history")).status_code == 404,
            "history-type": (await api.get(f"/{kind}/_history")).status_code == 200,
            "search-type": (await api.get(f"/{kind}")).status_code == 200,
            "create": (await api.post(f"/{kind}", json=body)).status_code == 422,
            "update": (await api.put(f"/{kind}/absent", json=body)).status_code == 422,
            "patch": (
                await api.patch(
                    f"/{kind}/absent",
                    content=b"[]",
                    headers={"content-type": "application/json-patch+json"},
                )
            ).status_code
            == 404,
            "delete": (await api.delete(f"/{kind}/absent")).status_code != 405,
        }
        assert {name for name, there in tried.items() if there} == claimed, kind


async def test_every_operation_is_there(api: httpx.AsyncClient, resources: list[Json]) -> None:
    parameters = {"resourceType": "Parameters"}
    for each in resources:
        names = {one["name"] for one in each["operation"]}
        for name in ("validate", "extract", "populate"):
            answer = await api.post(f"/{each['type']}/${name}", json=parameters)
            assert answer.status_code == (400 if name in names else 404), (each["type"], name)


async def test_what_is_not_claimed_is_not_there(api: httpx.AsyncClient) -> None:
    assert (await api.get("/Encounter")).status_code == 404
    assert (await api.post("/Encounter", json={"resourceType": "Encounter"})).status_code == 404
