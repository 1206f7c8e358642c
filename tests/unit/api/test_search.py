"""Search: parameters, lists, prefixes, includes, pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapter.api.comparisons import PREFIXES, date_test, span
from adapter.api.parameters import Parameter
from adapter.fhir.checks import check
from tests.unit.api import people

pytestmark = pytest.mark.anyio


def ids(answer: httpx.Response, mode: str = "match") -> list[str]:
    """The ids of the entries of one mode, in order."""
    bundle = answer.json()
    assert answer.status_code == 200, answer.text
    assert check(bundle) == []
    entries = bundle.get("entry", [])
    return [e["resource"]["id"] for e in entries if e["search"]["mode"] == mode]


async def test_a_task_is_found_by_each_of_its_parameters(api: httpx.AsyncClient) -> None:
    person, asked, task = await people.referral(api, "S1")
    await people.referral(api, "S2")
    focus = f"ServiceRequest/{asked['id']}"
    for params in (
        {"_id": task["id"]},
        {"patient": person["id"]},
        {"patient": f"Patient/{person['id']}"},
        {"subject:Patient": person["id"]},
        {"patient": f"http://adapter.example/fhir/Patient/{person['id']}"},
        {"focus": focus},
        {"identifier": "urn:oid:2.999.2|SR-S1"},
        {"identifier": "SR-S1"},
        {"patient": person["id"], "status": "accepted,requested", "code": "fulfill"},
        {"focus": focus, "intent": "order", "owner:missing": "true"},
        {"focus": focus, "_lastUpdated": f"ge{task['meta']['lastUpdated']}"},
        {"focus": focus, "status:not": "completed"},
    ):
        assert ids(await api.get("/Task", params=params)) == [task["id"]], params


async def test_what_does_not_fit_is_not_found(api: httpx.AsyncClient) -> None:
    person, _, task = await people.referral(api, "S3")
    for params in (
        {"patient": person["id"], "status": "completed,failed"},
        {"patient": person["id"], "code": "http://other.example|fulfill"},
        {"identifier": "urn:oid:2.999.8|SR-S3"},
        {"patient": person["id"], "_lastUpdated": f"gt{task['meta']['lastUpdated']}"},
        {"patient": person["id"], "_lastUpdated": "lt2000"},
        {"patient": person["id"], "owner:missing": "false"},
        {"_id": "absent"},
    ):
        assert ids(await api.get("/Task", params=params)) == [], params


async def test_matches_bring_what_they_point_to_and_what_points_to_them(
    api: httpx.AsyncClient,
) -> None:
    person, asked, task = await people.referral(api, "S4")
    params = {"_id": task["id"], "_include": ["Task:focus", "Task:patient"]}
    found = await api.get("/Task", params=params)
    assert set(ids(found, "include")) == {asked["id"], person["id"]}
    back = await api.get(
        "/ServiceRequest", params={"_id": asked["id"], "_revinclude": "Task:focus"}
    )
    assert ids(back, "include") == [task["id"]]


async def test_pages_follow_one_another_in_both_orders_and_hide_where_they_are(
    api: httpx.AsyncClient,
) -> None:
    person, asked, task = await people.referral(api, "S5")
    focus, subject = f"ServiceRequest/{asked['id']}", f"Patient/{person['id']}"
    later = [await api.post("/Task", json=people.task(focus, subject)) for _ in range(4)]
    wanted = [task["id"], *(each.json()["id"] for each in later)]
    for sort, order in (("_lastUpdated", wanted), ("-_lastUpdated", wanted[::-1])):
        answer = await api.get("/Task", params={"focus": focus, "_count": "2", "_sort": sort})
        seen, pages = ids(answer), 1
        while following := [x for x in answer.json()["link"] if x["relation"] == "next"]:
            address = following[0]["url"]
            assert asked["id"] not in address
            answer = await api.get(address)
            seen += ids(answer)
            pages += 1
        assert (seen, pages) == (order, 3)


async def test_a_page_token_of_somebody_else_is_refused(api: httpx.AsyncClient) -> None:
    for token in ("MTIz", "%%", "", "A" * 200):
        answer = await api.get("/Task", params={"_page": token})
        assert answer.status_code == 400
        assert answer.json()["issue"][0]["expression"] == ["http._page"]


async def test_counts_are_told_without_the_matches(api: httpx.AsyncClient) -> None:
    person, _, _ = await people.referral(api, "S6")
    for params in ({"_summary": "count"}, {"_count": "0"}):
        answer = (await api.get("/Task", params=params | {"patient": person["id"]})).json()
        assert (answer["total"], "entry" in answer) == (1, False)
    await people.referral(api, "S6b")
    paged = {"_count": "1", "_total": "accurate"}
    assert (await api.get("/Task", params=paged)).json()["total"] > 1


async def test_a_search_by_post_is_the_same_search(api: httpx.AsyncClient) -> None:
    person, _, task = await people.referral(api, "S7")
    answer = await api.post("/Task/_search", data={"patient": person["id"], "status": "requested"})
    assert ids(answer) == [task["id"]]


async def test_unknown_parameters_are_refused_or_told_if_lenient(api: httpx.AsyncClient) -> None:
    await people.referral(api, "S8")
    for params in ({"banana": "1"}, {"_sort": "banana"}, {"_include": "Task:banana"}):
        strict = await api.get("/Task", params=params)
        assert strict.status_code == 400
        assert strict.json()["issue"][0]["expression"]
        lenient = await api.get("/Task", params=params, headers={"Prefer": "handling=lenient"})
        assert lenient.status_code == 200
        assert lenient.json()["entry"][-1]["search"]["mode"] == "outcome"


@pytest.mark.parametrize("text", ["ap2020", "2020-13", "yesterday", "gt", "2020-01-01T25:00"])
async def test_a_date_that_is_none_is_refused(api: httpx.AsyncClient, text: str) -> None:
    answer = await api.get("/Task", params={"_lastUpdated": text})
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["expression"] == ["http._lastUpdated"]


@pytest.mark.parametrize(
    ("prefix", "dates"),
    [
        ("eq", {"2020-05-05"}),
        ("ne", {"2020-05-04", "2020-05-06"}),
        ("gt", {"2020-05-06"}),
        ("ge", {"2020-05-05", "2020-05-06"}),
        ("lt", {"2020-05-04"}),
        ("le", {"2020-05-04", "2020-05-05"}),
        ("sa", {"2020-05-06"}),
        ("eb", {"2020-05-04"}),
    ],
)
def test_each_prefix_compares_as_the_standard_says(prefix: str, dates: set[str]) -> None:
    assert prefix in PREFIXES
    test = date_test(Parameter("date", ("at",)), f"{prefix}2020-05-05", "at")
    all_dates = ("2020-05-04", "2020-05-05", "2020-05-06")
    assert {each for each in all_dates if test({"at": each})} == dates


def test_a_date_stands_for_all_of_its_day_month_or_year() -> None:
    low, high = span("2020-12")
    assert (low.isoformat()[:10], high.isoformat()[:10]) == ("2020-12-01", "2021-01-01")


async def test_a_comma_in_a_value_is_escaped(api: httpx.AsyncClient) -> None:
    made: dict[str, Any] = (await api.post("/Patient", json=people.patient("A,B"))).json()
    assert ids(await api.get("/Patient", params={"identifier": "A\\,B"})) == [made["id"]]
