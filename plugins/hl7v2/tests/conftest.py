"""A context that remembers, and messages that are invented (synthetic: no such persons)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapter.plugin import Inbound, Page, Receipt, Refusal, Site, TransientError, Visit
from adapter_hl7v2.config import Hl7v2Config
from adapter_hl7v2.system import Hl7v2

HEAD = "MSH|^~\\&|CLINIC|SITE|ADAPTER|HUB|20260115100000||REF^I12^REF_I12|{id}|T|{version}"
REFERRAL = (
    HEAD,
    "RF1|P|R||||R-1|20260115",
    "PRD|RP|Clinician^Synthetic",
    "PRD|RT|Hub^Community",
    "PID|1||9999999999^^^ON^JHN||Synthetic^Test||19500101|F",
    "NTE|1||lonely since the move",
)


def referral(id: str = "C1", version: str = "2.5.1", end: str = "\r", **replaced: str) -> bytes:
    """A small referral; `replaced` maps a segment id to another line."""
    lines = [replaced.get(line[:3], line) for line in REFERRAL]
    return (end.join(lines) + end).replace("{id}", id).replace("{version}", version).encode()


@dataclass
class Log:
    """What was logged, as text."""

    lines: list[str] = field(default_factory=list)

    def _said(self, event: str, **values: Any) -> None:
        self.lines.append(f"{event} {values}")

    debug = info = warning = error = _said


@dataclass
class FakeContext:
    """The core as a site sees it: remembers everything, promises nothing."""

    test: bool = True
    accepted: list[Inbound] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)
    log: Any = field(default_factory=Log)
    full: bool = False
    fault: Exception | None = None
    gate: asyncio.Event | None = None
    opinion: Callable[..., Any] | None = None

    @property
    def site(self) -> Site:
        return Site(
            name="clinic", organization="Synthetic", test=self.test, timezone=ZoneInfo("UTC")
        )

    def now(self) -> datetime:
        return datetime(2026, 1, 15, 10, 30, tzinfo=UTC)

    def random(self, size: int) -> bytes:
        return hashlib.sha256(str(len(self.accepted) + len(self.refused)).encode()).digest()[:size]

    def url(self, path: str) -> str:
        return f"http://127.0.0.1/{path}"

    def token(self, purpose: str) -> bytes:
        return hashlib.sha256(purpose.encode()).digest()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)

    async def offload(self, function: Callable[..., Any], *args: Any) -> Any:
        """What the worker process would say; nothing, unless the test has an opinion."""
        return [] if self.opinion is None else self.opinion(function, *args)

    async def receive(self, message: Inbound) -> Receipt:
        if self.gate is not None:
            await self.gate.wait()
        if self.full:
            raise TransientError("store.full", "the disk is full")
        if self.fault is not None:
            raise self.fault
        for earlier in self.accepted:
            if earlier.key == message.key:
                same = earlier.raw == message.raw
                state = "duplicate" if same else "conflict"
                return Receipt(id="1", state=state, answer=earlier.answer if same else b"")
        self.accepted.append(message)
        return Receipt(id="1", state="accepted", answer=message.answer)

    async def refuse(self, refusal: Refusal) -> None:
        if self.full:
            raise TransientError("store.full", "the disk is full")
        self.refused.append(refusal)

    async def page(self, visit: Visit) -> Page:
        raise AssertionError

    async def act(self, wanted: Any) -> Any:
        raise AssertionError


@pytest.fixture
def context() -> FakeContext:
    return FakeContext()


@pytest.fixture
def system(context: FakeContext) -> Hl7v2:
    return Hl7v2(Hl7v2Config(port=0), context)  # type: ignore[arg-type]


@pytest.fixture
def make_referral() -> Callable[..., bytes]:
    return referral


@pytest.fixture
def make_system() -> Callable[..., Hl7v2]:
    def make(context: FakeContext, **settings: Any) -> Hl7v2:
        return Hl7v2(Hl7v2Config(**settings), context)  # type: ignore[arg-type]

    return make
