"""The core in memory, as a `link` site sees it: a clock that is set, and a state in a dict."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from adapter.plugin import Acted, Inbound, Move, Page, PostedForm, Receipt, Refusal, Site, Visit

NOW = datetime(2026, 11, 22, 15, 4, tzinfo=UTC)


class MemoryState:
    """`State` over a dict, with expiry by the context's clock."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.now = now
        self.kept: dict[str, tuple[bytes, datetime | None]] = {}

    async def get(self, key: str) -> bytes | None:
        value, expires = self.kept.get(key, (None, None))
        return None if expires and expires <= self.now() else value

    async def put(self, key: str, value: bytes, *, expires: datetime | None = None) -> None:
        self.kept[key] = (value, expires)

    async def add(self, key: str, value: bytes, *, expires: datetime | None = None) -> bool:
        if await self.get(key) is not None:
            return False
        await self.put(key, value, expires=expires)
        return True

    async def delete(self, key: str) -> None:
        self.kept.pop(key, None)


class MemoryLog:
    """Keeps every line, so that a test can look for what must not be there."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def _keep(self, event: str, **values: Any) -> None:
        self.lines.append((event, values))

    debug = info = warning = error = _keep


class MemoryContext:
    """A `Context` whose pages only say which visit they were asked for."""

    def __init__(self, *, base: str = "https://adapter.example/sites/agency/") -> None:
        self.base = base
        self.time = NOW
        self.site = Site(
            name="agency",
            organization="Example Garden Club",
            test=True,
            timezone=ZoneInfo("America/Toronto"),
            language="en",
        )
        self.log = MemoryLog()
        self.state = MemoryState(self.now)
        self.visits: list[Visit] = []
        self.forms: list[Mapping[str, list[str]]] = []
        self.drawn = 0
        self.pages: Any = None
        self.desk: Any = None

    def now(self) -> datetime:
        return self.time

    def later(self, **amount: float) -> None:
        self.time += timedelta(**amount)

    async def sleep(self, seconds: float) -> None:
        self.later(seconds=seconds)

    def token(self, purpose: str) -> bytes:
        return hashlib.sha256(f"synthetic key|{purpose}".encode()).digest()

    def random(self, size: int) -> bytes:
        self.drawn += 1
        return hashlib.shake_256(str(self.drawn).encode()).digest(size)

    def url(self, path: str) -> str:
        return self.base + path.lstrip("/")

    async def offload(self, function: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.to_thread(function, *args)

    async def receive(self, message: Inbound) -> Receipt:
        raise AssertionError("a link site receives no messages")

    async def refuse(self, refusal: Refusal) -> None:
        raise AssertionError("a link site refuses no messages")

    async def page(self, visit: Visit) -> Page:
        self.visits.append(visit)
        if self.pages is not None:
            page: Page = await self.pages.page(visit, site=self.site.name, desk=self.desk)
            return page
        status = {"gone": 410, "not-found": 404, "busy": 429}.get(visit.name, 200)
        return Page(status=status, body=f"page {visit.name}".encode())

    async def act(self, wanted: Move | PostedForm) -> Acted:
        if isinstance(wanted, Move):
            raise AssertionError("a link site makes no moves but by forms")
        visit, form = wanted.visit, wanted.form
        self.visits.append(visit)
        self.forms.append(form)
        if self.pages is not None:
            acted: Acted = await self.pages.act(visit, form, site=self.site.name, desk=self.desk)
            return acted
        page = Page(status=303, body=b"", headers={"Location": visit.action})
        return Acted(state="done", status=303, page=page)
