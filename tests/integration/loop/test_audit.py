"""One audit event for each view and change of a whole journey, each in the shape of its pattern."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest

from adapter.cli.demonstration.agency import Visitor, link_from
from tests.integration.loop.harness import Loop, exchange, referral
from tests.unit.exchange.balp import problems

pytestmark = pytest.mark.network


def test_each_view_and_change_leaves_one_event_of_its_pattern(tmp_path: Path) -> None:
    async def run() -> None:
        loop = Loop(tmp_path)
        await loop.open()
        try:
            await exchange(loop.mllp, referral("R-1"))
            visitor = Visitor(loop.mailbox)
            await visitor.open(await link_from(loop.mailbox, 0))
            await visitor.do("accept", {})
            await visitor.close()
            base = loop.ready["fhir"]
            async with httpx.AsyncClient(headers={"X-Request-Id": "synthetic-1"}) as client:
                found = (await client.get(f"{base}/Task")).json()
                task = found["entry"][0]["resource"]["id"]
                await client.get(f"{base}/Task/{task}")
                patient = {"resourceType": "Patient", "name": [{"family": "Synthetic"}]}
                made = await client.post(f"{base}/Patient", json=patient)
                assert made.status_code == 201, made.text
        finally:
            await loop.close()

    asyncio.run(run())
    out = tmp_path / "audit.ndjson"
    subprocess.run(
        [
            sys.executable, "-m", "adapter.cli", "audit", "export", "--config",
            tmp_path / "adapter.toml", "--output", out,
        ],
        check=True, timeout=60,
    )  # fmt: skip
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert [problems(event) for event in events] == [[]] * len(events)
    whom = Counter(
        (event["action"], event["agent"][-1]["who"]["display"].partition(":")[0], _kind(event))
        for event in events
    )
    assert whom[("C", "Social prescribing adapter", "ServiceRequest")] == 1
    assert whom[("U", "link", "Task")] == 1
    assert whom[("C", "FHIR API, open", "Patient")] == 1
    assert whom[("R", "FHIR API, open", "Task")] == 1
    asked = [e for e in events if e["agent"][-1]["who"]["display"] == "FHIR API, open"]
    assert {e["agent"][0]["network"]["address"] for e in asked} == {"127.0.0.1"}
    assert all(
        {"value": "synthetic-1"} in [each.get("what", {}).get("identifier") for each in e["entity"]]
        for e in asked
    )


def _kind(event: dict[str, list[dict[str, dict[str, str]]]]) -> str:
    return event["entity"][0].get("what", {}).get("reference", "search").partition("/")[0]
