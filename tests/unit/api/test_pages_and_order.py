"""Pages hold still under writes, whatever the order; what is included, and by which words."""

from __future__ import annotations

import itertools
from typing import Any

import httpx
import pytest

from tests.unit.api import people

pytestmark = pytest.mark.anyio
Json = dict[str, Any]
marks = (f"mark-{number}" for number in itertools.count())


def ids(answer: httpx.Response, mode: str = "match") -> list[str]:
    entries = answer.json().get("entry", ())
    return [each["resource"]["id"] for each in entries if each["search"]["mode"] == mode]


def kinds(answer: httpx.Response) -> set[str]:
    entries = answer.json().get("entry", ())
    included = (each for each in entries if each["search"]["mode"] == "include")
    return {each["resource"]["resourceType"] for each in included}


def following(answer: httpx.Response) -> str:
    links = answer.json()["link"]
    return next((each["url"] for each in links if each["relation"] == "next"), "")


async def goals(api: httpx.AsyncClient, mark: str, *starts: str | None) -> list[Json]:
    """Goals with a mark, which begin on these days."""
    made = []
    for start in starts:
        goal: Json = {
            "resourceType": "Goal",
            "identifier": [{"system": "urn:oid:2.999.7", "value": mark}],
            "lifecycleStatus": "active",
            "description": {"text": "company"},
            "subject": {"display": "somebody"},
            "meta": {"tag": [{"system": "urn:x", "code": mark}]},
        }
        if start:
            goal["startDate"] = start
        made.append((await api.post("/Goal", json=goal)).json())
    return made


@pytest.mark.parametrize("sort", ["_lastUpdated", "-_lastUpdated", "_id", "-lifecycle-status"])
async def test_whatever_is_written_between_two_pages_nothing_comes_twice_or_is_missed(
    api: httpx.AsyncClient, sort: str
) -> None:
    mark = next(marks)
    made = await goals(api, mark, *[None] * 7)
    answer = await api.get("/Goal", params={"identifier": mark, "_count": "2", "_sort": sort})
    seen = ids(answer)
    for one in (made[0], made[-1], made[3]):
        changed = one | {"description": {"text": "more company"}}
        assert (await api.put(f"/Goal/{one['id']}", json=changed)).status_code == 200
    await goals(api, mark, None)
    while place := following(answer):
        answer = await api.get(place)
        seen += ids(answer)
    assert sorted(seen) == sorted(each["id"] for each in made)


async def test_what_does_not_fit_any_more_is_left_out_and_total_stays_right(
    api: httpx.AsyncClient,
) -> None:
    mark = next(marks)
    made = await goals(api, mark, *[None] * 4)
    asked = {"identifier": mark, "lifecycle-status": "active", "_count": "2", "_total": "accurate"}
    answer = await api.get("/Goal", params=asked)
    gone = made[3] | {"lifecycleStatus": "cancelled"}
    await api.put(f"/Goal/{gone['id']}", json=gone)
    answer = await api.get(following(answer))
    assert (ids(answer), answer.json()["total"]) == ([made[2]["id"]], 3)


async def test_matches_come_in_the_order_that_is_asked_for(api: httpx.AsyncClient) -> None:
    mark = next(marks)
    days = ("2026-03-02", None, "2026-01-05", "2026-03-01", "2026-02")
    made = await goals(api, mark, *days)
    place = {each["id"]: index for index, each in enumerate(made)}
    for sort, order in (
        ("start-date", [2, 4, 3, 0, 1]),
        ("-start-date", [0, 3, 4, 2, 1]),
        ("lifecycle-status,-start-date", [0, 3, 4, 2, 1]),
        ("lifecycle-status,-_lastUpdated", [4, 3, 2, 1, 0]),
    ):
        for count in ("2", "50"):
            params = {"identifier": mark, "_sort": sort, "_count": count}
            answer = await api.get("/Goal", params=params)
            seen = ids(answer)
            while following(answer):
                answer = await api.get(following(answer))
                seen += ids(answer)
            assert [place[each] for each in seen] == order, (sort, count)


async def test_includes_go_on_by_all_words_that_r4_has(api: httpx.AsyncClient) -> None:
    _, asked, task = await people.referral(api, next(marks))
    search = {"_id": task["id"]}
    for params, wanted in (
        ({"_include": "*"}, {"Patient", "ServiceRequest"}),
        ({"_include": "Task:*"}, {"Patient", "ServiceRequest"}),
        ({"_include": "Task:focus:ServiceRequest"}, {"ServiceRequest"}),
        ({"_include": "Task:focus:Patient"}, set()),
        (
            {"_include": "Task:focus", "_include:iterate": "ServiceRequest:patient"},
            {"Patient", "ServiceRequest"},
        ),
    ):
        answer = await api.get("/Task", params=search | params)
        assert (answer.status_code, kinds(answer)) == (200, wanted), params
    answer = await api.get(
        "/Patient",
        params={
            "_id": task["for"]["reference"].partition("/")[2],
            "_revinclude": "ServiceRequest:patient",
            "_revinclude:iterate": "Task:focus",
        },
    )
    assert set(ids(answer, "include")) == {asked["id"], task["id"]}
    for params in ({"_include": "ServiceRequest:patient"}, {"_include": "Task:focus:Nothing"}):
        assert (await api.get("/Task", params=params)).status_code == 400


async def test_a_program_and_an_organization_are_found_by_name_and_anything_by_tag(
    api: httpx.AsyncClient,
) -> None:
    name = "Théâtre des Aînés"
    made = await api.post("/Organization", json={"resourceType": "Organization", "name": name})
    own = made.json()["id"]
    for params, found in (
        ({"name": "theatre"}, True),
        ({"name": "aines"}, False),
        ({"name:contains": "aînés"}, True),
        ({"name:exact": name}, True),
        ({"name:exact": name.lower()}, False),
        ({"name:missing": "true"}, False),
    ):
        assert (own in ids(await api.get("/Organization", params=params))) is found, params
    mark = next(marks)
    (goal,) = await goals(api, mark, None)
    for params in ({"_tag": mark}, {"_tag": f"urn:x|{mark}"}, {"_security:missing": "true"}):
        assert goal["id"] in ids(await api.get("/Goal", params=params)), params


async def test_a_period_is_compared_by_both_of_its_ends(api: httpx.AsyncClient) -> None:
    person = (await api.post("/Patient", json=people.patient(next(marks)))).json()
    procedure = {
        "resourceType": "Procedure",
        "status": "completed",
        "subject": {"reference": f"Patient/{person['id']}"},
        "performedPeriod": {"start": "2026-01-10", "end": "2026-01-20"},
    }
    own = (await api.post("/Procedure", json=procedure)).json()["id"]
    for text, found in (
        ("2026-01", True), ("2026-01-15", False), ("ge2026-01-15", True), ("sa2026-01-10", False),
        ("sa2026-01-09", True), ("eb2026-01-21", True), ("lt2026-01-10", False),
    ):  # fmt: skip
        params = {"patient": person["id"], "date": text}
        assert ids(await api.get("/Procedure", params=params)) == [own] * found, text
