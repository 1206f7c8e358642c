"""The fake receiver of webhooks keeps what came, and fails as it is told."""

from __future__ import annotations

import httpx
import pytest

from adapter_conformance.fakes.webhook_receiver import WebhookReceiver

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_everything_is_kept_and_faults_come_one_each() -> None:
    receiver = WebhookReceiver()
    receiver.fail_next(503, 410)
    road = httpx.ASGITransport(receiver.app)
    async with httpx.AsyncClient(transport=road, base_url="http://127.0.0.1") as client:
        answers = [
            await client.post("/hook", content=b"one", headers={"X-Signature": "abc"}),
            await client.put("/hook/Task/1", content=b"two"),
            await client.post("/hook", content=b""),
        ]
    assert [each.status_code for each in answers] == [503, 410, 200]
    assert answers[0].headers["Retry-After"] == "1"
    assert answers[2].headers["Content-Type"].startswith("application/fhir+json")
    found = await receiver.wait_for(3)
    assert [(each.method, each.path, each.body) for each in found] == [
        ("POST", "/hook", b"one"),
        ("PUT", "/hook/Task/1", b"two"),
        ("POST", "/hook", b""),
    ]
    assert found[0].headers["x-signature"] == "abc"
    assert "abc" not in repr(found[0])


async def test_what_does_not_come_is_waited_for_no_longer_than_said() -> None:
    with pytest.raises(TimeoutError, match="0 of 1"):
        await WebhookReceiver().wait_for(1, seconds=0.05)
