"""A subscription by e-mail, over a real SMTP server: it says that there is news, of nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from adapter.api.app import build_app
from adapter.cli.demonstration.mailbox import Mailbox
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.exchange.subscription_terms import BACKPORT, TOPICS
from adapter.portal.pages import Pages
from adapter.security.keyring import Keyring
from tests.unit.api import people
from tests.unit.api.conftest import CONFIG, PROGRAMS

pytestmark = [pytest.mark.anyio, pytest.mark.network]
MAIL = """
[smtp]
host = "127.0.0.1"
port = {port}
tls = "none"
sender = "news@adapter.example"
"""


@pytest.fixture
async def mailbox() -> AsyncIterator[Mailbox]:
    made = Mailbox()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def service(tmp_path: Path, mailbox: Mailbox) -> Iterator[Service]:
    (tmp_path / "adapter.key").write_text(Keyring.generate().to_text())
    (tmp_path / "programs.toml").write_text(PROGRAMS)
    (tmp_path / "adapter.toml").write_text(CONFIG + MAIL.format(port=mailbox.port))
    made = Service.open(load_config(tmp_path / "adapter.toml"), pages=Pages())
    made.bound("http://adapter.example")
    yield made
    made.store.close()


async def drained(service: Service) -> None:
    for _ in range(20):
        if not await service.notifier.serve_due():
            return
    raise AssertionError("it never ends")


async def test_news_of_a_task_goes_out_by_a_real_mail_server_and_names_nobody(
    service: Service, mailbox: Mailbox
) -> None:
    content = {"url": f"{BACKPORT}/backport-payload-content", "valueCode": "id-only"}
    asked = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "synthetic",
        "criteria": next(iter(TOPICS)),
        "channel": {
            "type": "email",
            "endpoint": "mailto:desk@club.example",
            "payload": "application/fhir+json",
            "_payload": {"extension": [content]},
        },
    }
    transport = httpx.ASGITransport(app=build_app(service))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://adapter.example/fhir"
    ) as api:
        answer = await api.post("/Subscription", json=asked)
        assert answer.status_code == 201, answer.text
        await drained(service)
        place = f"/Subscription/{answer.json()['id']}"
        assert (await api.get(place)).json()["status"] == "active"  # the handshake was taken
        first = len(mailbox.letters)
        assert first == 1
        person, _, task = await people.referral(api, "mail")
        await drained(service)
        letters = mailbox.letters[first:]
        assert len(letters) == 1
        assert letters[0]["To"] == "desk@club.example"
        assert letters[0]["From"] == "news@adapter.example"
        (bundle,) = [part for part in letters[0].walk() if part.get_filename()]
        said = bundle.get_payload(decode=True)
        assert isinstance(said, bytes)
        assert task["id"].encode() in said
        for part in letters[0].walk():
            words = part.get_payload(decode=True)
            assert person["name"][0]["family"].encode() not in (words or b"")
        await mailbox.close()  # the server is down: what happens now waits, and is not lost
        await api.put(f"/Task/{task['id']}", json=task | {"status": "accepted"})
        await drained(service)
        row = service.store.read_now(lambda tx: tx.subscriptions.get(answer.json()["id"]))
        assert row is not None
        assert (row.state, row.events, row.delivered, row.failures) == ("active", 2, 1, 1)
