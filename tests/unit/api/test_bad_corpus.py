"""The corpus of wrong resources over HTTP: posted, put, validated, in a batch. None breaks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.api.offered import TYPES

pytestmark = pytest.mark.anyio
CORPUS = Path(__file__).parents[1] / "fhir" / "corpus" / "bad"
FHIR = {"content-type": "application/fhir+json"}


def wrong() -> list[dict[str, Any]]:
    """Every resource with a fault."""
    return [
        case["resource"]
        for path in sorted(CORPUS.glob("*.json"))
        for case in json.loads(path.read_bytes())
    ]


def held(answer: httpx.Response) -> None:
    """No 5xx; a refusal is an OperationOutcome that says where."""
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        outcome = answer.json()
        assert outcome["resourceType"] == "OperationOutcome"
        assert all(each["expression"] for each in outcome["issue"]), answer.text


async def test_no_wrong_resource_breaks_the_server_or_is_stored_as_it_is(
    api: httpx.AsyncClient,
) -> None:
    asked = refused = 0
    for resource in wrong():
        kind = resource.get("resourceType")
        kind = kind if kind in TYPES else "Patient"
        body = json.dumps(resource).encode()
        entry = {"resource": resource, "request": {"method": "POST", "url": kind}}
        batch = {"resourceType": "Bundle", "type": "batch", "entry": [entry]}
        requests = [
            ("POST", f"/{kind}", body),
            ("PUT", f"/{kind}/absent", body),
            ("POST", f"/{kind}/$validate", body),
            ("POST", "/", json.dumps(batch).encode()),
            ("POST", "/$process-message", body),
        ]
        for method, place, content in requests:
            answer = await api.request(method, place, content=content, headers=FHIR)
            held(answer)
            asked += 1
            refused += answer.status_code >= 400
    print(f"bad corpus over HTTP: {asked} requests, {refused} refused, 0 x 5xx")
    assert asked > 750
    assert refused > asked / 2
