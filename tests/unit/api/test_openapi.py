"""The OpenAPI document is that of the CapabilityStatement, and holds under schemathesis."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from adapter.api.app import build_app
from adapter.api.openapi import document
from adapter.exchange.service import Service

Json = dict[str, Any]
EXAMPLES = 2
SKIPPED = frozenset({"/metadata"})


@pytest.mark.anyio
async def test_the_document_has_every_claim_and_no_other(api: httpx.AsyncClient) -> None:
    made = (await api.get("/openapi.json")).json()
    assert made == (await api.get("http://adapter.example/openapi.json")).json()
    statement = (await api.get("/metadata")).json()
    claims = 0
    for resource in statement["rest"][0]["resource"]:
        kind = resource["type"]
        for each in resource["interaction"]:
            verb = {
                "read": ("get", f"/{kind}/{{id}}"),
                "vread": ("get", f"/{kind}/{{id}}/_history/{{version}}"),
                "history-instance": ("get", f"/{kind}/{{id}}/_history"),
                "history-type": ("get", f"/{kind}/_history"),
                "search-type": ("get", f"/{kind}"),
                "create": ("post", f"/{kind}"),
                "update": ("put", f"/{kind}/{{id}}"),
                "patch": ("patch", f"/{kind}/{{id}}"),
            }[each["code"]]
            assert verb[0] in made["paths"][verb[1]], (kind, each)
            claims += 1
    assert claims > 140
    names = [method["operationId"] for path in made["paths"].values() for method in path.values()]
    assert len(names) == len(set(names))


def test_no_request_that_schemathesis_makes_breaks_the_server(service: Service) -> None:
    from adapter.api.metadata import capability_statement

    app = build_app(service)
    statement = capability_statement("http://adapter.example", service.now(), "open")
    schema = schemathesis.openapi.from_dict(document(statement, "http://adapter.example"))
    asked = [0, 0]

    async def send(case: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        base = "http://adapter.example"
        async with httpx.AsyncClient(transport=transport, base_url=base) as http:
            parts = case.as_transport_kwargs(base_url=f"{base}/fhir")
            return await http.request(
                parts["method"],
                parts["url"],
                params=parts.get("params"),
                headers={str(n): str(v) for n, v in (parts.get("headers") or {}).items()},
                json=parts.get("json"),
                data=parts["data"] if isinstance(parts.get("data"), dict) else None,
                content=parts["data"] if isinstance(parts.get("data"), bytes) else None,
            )

    def examine(case: Any) -> None:
        answer = asyncio.run(send(case))
        asked[0] += 1
        assert answer.status_code < 500, (case.method, case.path, answer.text)
        if answer.status_code >= 400:
            asked[1] += 1
            outcome = answer.json()
            assert outcome["resourceType"] == "OperationOutcome", answer.text
            assert all(each["expression"] for each in outcome["issue"]), answer.text

    limits = settings(
        max_examples=EXAMPLES,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
        derandomize=True,
    )
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path not in SKIPPED:
            limits(given(case=operation.as_strategy())(examine))()
    print(f"schemathesis: {asked[0]} requests, {asked[1]} refused, 0 broke the server")
    assert asked[0] > 300
