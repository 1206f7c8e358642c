"""Every resource type of R4 is checked, and a Bundle of 10 MB costs bounded memory."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import orjson
import pytest

from adapter.fhir.checks import check
from adapter.fhir.definitions import definition, resource_types
from adapter.fhir.reader import read
from adapter.fhir.safe_json import loads
from adapter.fhir.validation import validate_bytes

TYPES = sorted(resource_types() - {"Resource", "DomainResource"})
TEN_MB = 10_000_000


def test_there_are_all_the_types_that_can_be_sent() -> None:
    assert len(TYPES) == len(set(TYPES)) >= 140


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_asks_for_what_it_requires_and_for_nothing_else(kind: str) -> None:
    required = {
        name.removesuffix("[x]")
        for name, one in definition(kind).elements.items()
        if one.min and "." not in name
    }
    said = {
        issue.expression.removeprefix(f"{kind}.")
        for issue in check({"resourceType": kind})
        if issue.code == "required"
    }
    assert said == required or {each.removesuffix("[x]") for each in said} == required


@pytest.mark.parametrize("kind", TYPES)
def test_each_type_refuses_what_it_does_not_have(kind: str) -> None:
    issues = check({"resourceType": kind, "nonsense": 1, "id": "not an id"})
    places = {issue.expression for issue in issues if issue.fails}
    assert {f"{kind}.nonsense", f"{kind}.id"} <= places


def _entry(number: int) -> dict[str, Any]:
    return {
        "fullUrl": f"urn:uuid:00000000-0000-4000-8000-{number:012d}",
        "resource": {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "93025-5"}]},
            "effectiveDateTime": "2025-03-01T09:00:00-05:00",
            "valueString": "synthetic " * 30,
            "note": [{"text": "synthetic " * 30}],
        },
    }


@pytest.fixture(scope="module")
def large() -> bytes:
    size = len(json.dumps(_entry(0)))
    entries = [_entry(number) for number in range(TEN_MB // size + 1)]
    data = orjson.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    assert len(data) >= TEN_MB * 0.95
    return data


def test_ten_megabytes_are_checked_in_memory_that_does_not_grow_with_the_checking(
    large: bytes,
) -> None:
    check(_entry(0)["resource"])
    tracemalloc.start()
    try:
        bundle = loads(large)
        parsed, peak = tracemalloc.get_traced_memory()
        assert parsed < 4 * len(large)
        assert peak < 20 * len(large)  # orjson's own work space: 15 times the document, given back
        tracemalloc.reset_peak()
        assert check(bundle) == []
        _, peak = tracemalloc.get_traced_memory()
        # what a Bundle needs beside itself: one address for each entry
        assert peak - parsed < 0.5 * len(large)
    finally:
        tracemalloc.stop()


def test_ten_megabytes_with_a_fault_in_every_entry_are_told_in_bounded_memory(large: bytes) -> None:
    wrong = large.replace(b'"status":"final"', b'"status":"banana"')
    tracemalloc.start()
    try:
        issues = validate_bytes(wrong)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0 < len(issues) < 2_000
    assert peak < 20 * len(wrong)
    assert kept < 0.5 * len(wrong)


def test_ten_megabytes_are_read_leniently_too(large: bytes) -> None:
    assert len(read(large).resource["entry"]) > 10_000
