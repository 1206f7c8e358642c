"""Whatever comes in, the answer is never a 5xx, and every refusal says where."""

from __future__ import annotations

import json
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.api import people

pytestmark = pytest.mark.anyio
SOUND: list[dict[str, Any]] = [
    people.patient(),
    people.request("Patient/absent"),
    people.task("ServiceRequest/absent", "Patient/absent"),
    {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": people.patient(),
     "request": {"method": "POST", "url": "Patient", "ifNoneExist": "identifier=1"}}]},
    {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Task.status"}]}]},
]  # fmt: skip
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just([]),
                  st.just({}), st.floats(allow_nan=False, allow_infinity=False))  # fmt: skip
HOSTILE = st.one_of(PLAIN, st.lists(PLAIN, max_size=2), st.dictionaries(st.text(max_size=4), PLAIN))


def dumped(value: Any) -> bytes:
    """JSON of a value; numbers may be longer than orjson writes."""
    return json.dumps(value).encode()


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a JSON value."""
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    if isinstance(value, dict | list):
        for key, part in pairs:
            found += spots(part, (*path, key))
    return found


@st.composite
def broken(draw: st.DrawFn) -> tuple[str, bytes]:
    """A sound resource with one spot replaced by something else, and where it goes."""
    value = orjson.loads(orjson.dumps(draw(st.sampled_from(SOUND))))
    kind = value["resourceType"]
    *way, last = draw(st.sampled_from(spots(value)))
    node = value
    for step in way:
        node = node[step]
    node[last] = draw(HOSTILE)
    places = {
        "Bundle": ["/"],
        "Parameters": ["/Patient/$validate", "/Questionnaire/$populate", "PATCH"],
    }.get(kind, [f"/{kind}", f"/{kind}/$validate", "/"])
    return draw(st.sampled_from(places)), dumped(value)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(case=broken(), as_batch=st.booleans())
async def test_a_broken_body_is_refused_and_never_breaks_the_server(
    api: httpx.AsyncClient, case: tuple[str, bytes], as_batch: bool
) -> None:
    place, content = case
    headers = {"content-type": "application/fhir+json"}
    if as_batch:
        content = content.replace(b'"transaction"', b'"batch"')
    if place == "PATCH":
        answer = await api.patch("/Task/absent", content=content, headers=headers)
    else:
        answer = await api.post(place, content=content, headers=headers)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        outcome = answer.json()
        assert outcome["resourceType"] == "OperationOutcome"
        assert all(each["expression"] for each in outcome["issue"])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from(
        ["_id", "_lastUpdated", "_count", "_sort", "_page", "_include", "_total", "identifier",
         "patient", "status", "focus", "owner:missing", "owner:identifier", "code:not", "_format"]
    ),
    text=st.text(max_size=20),
)  # fmt: skip
async def test_any_query_is_answered_or_refused(
    api: httpx.AsyncClient, name: str, text: str
) -> None:
    answer = await api.get("/Task", params={name: text})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["issue"][0]["expression"]
