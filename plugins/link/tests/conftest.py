"""What the tests of the link share: a context in memory, settings, a delivery, a mail server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from adapter.plugin import Notice, Outbound
from adapter_link.config import LinkConfig
from adapter_link.system import Link

sys.path.insert(0, str(Path(__file__).parent))

from memory_context import NOW, MemoryContext


class Postbox:
    """Takes the place of the mail server in the unit tests."""

    def __init__(self) -> None:
        self.mails: list[tuple[EmailMessage, str]] = []
        self.fault: Exception | None = None

    async def send(self, message: EmailMessage, recipient: str) -> None:
        if self.fault:
            raise self.fault
        self.mails.append((message, recipient))

    def text(self, number: int = -1) -> str:
        part = self.mails[number][0].get_body(("plain",))
        assert part is not None
        return str(part.get_content())


@pytest.fixture
def context() -> MemoryContext:
    return MemoryContext()


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def link_with(context: MemoryContext, postbox: Postbox) -> Callable[..., Link]:
    def make(**settings: Any) -> Link:
        values = {
            "smtp_host": "localhost",
            "smtp_tls": "none",
            "sender": "Referrals <referrals@clinic.example>",
            "recipient": "intake@agency.example",
            **settings,
        }
        made = Link(LinkConfig(**values), context)
        made.post = made.door.post = postbox  # type: ignore[assignment]
        return made

    return make


@pytest.fixture
def link(link_with: Callable[..., Link]) -> Link:
    return link_with()


@pytest.fixture
def outbound() -> Callable[..., Outbound]:
    def make(event: str = "request", number: int = 1, **changes: Any) -> Outbound:
        notice = {
            "reference": "rx-7f3a2c",
            "fulfilment": "work-1",
            "program": "Thursday Garden Club",
            "reply_by": NOW + timedelta(days=7),
            "language": "en",
            **changes.pop("notice", {}),
        }
        values: dict[str, Any] = {
            "id": f"00000000-0000-7000-8000-{number:012d}",
            "event": event,
            "referral": "referral-1",
            "created": NOW,
            "fulfilment": "work-1",
            "notice": Notice(**notice),
            **changes,
        }
        return Outbound(**values)

    return make
