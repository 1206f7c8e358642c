"""The core as one site sees it, in memory: it remembers everything, and fails when told to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from adapter.plugin import (
    Acted,
    Inbound,
    Move,
    Page,
    PostedForm,
    Receipt,
    Refusal,
    Site,
    SystemConfig,
    TransientError,
    Visit,
)
from adapter_conformance.fakes.memory import MemoryClock, MemoryLog, MemoryState

if TYPE_CHECKING:
    import httpx

    from adapter.exchange.http.client import SiteClient

T = TypeVar("T")
BASE = "http://127.0.0.1/sites"


class KitContext:
    """`adapter.plugin.Context`. Time passes when somebody sleeps by it.

    Attributes:
        accepted, refused: what came in, in order.
        full: True makes the store refuse everything.
        gate: while it is set and not open, nothing becomes durable.
        visits, forms: what people looked at and sent; `moves`: what the peer wanted done at once.
        refusing: True makes every move one that the referral does not allow.
    """

    def __init__(
        self, config: SystemConfig, *, road: httpx.AsyncBaseTransport | None, name: str = "kit"
    ) -> None:
        self._config = config
        self._road = road
        self._client: SiteClient | None = None
        self._drawn = 0
        self.clock = MemoryClock()
        self.memory_log = MemoryLog()
        self.memory_state = MemoryState(self.clock)
        self.accepted: list[Inbound] = []
        self.refused: list[Refusal] = []
        self.visits: list[Visit] = []
        self.forms: list[Mapping[str, list[str]]] = []
        self.moves: list[Move] = []
        self.refusing = False
        self.full = False
        self.gate: asyncio.Event | None = None
        self._keys: dict[str, Inbound] = {}
        self._site = Site(
            name=name, organization="Synthetic", test=True, timezone=ZoneInfo("America/Toronto")
        )

    @property
    def site(self) -> Site:
        """A test site."""
        return self._site

    @property
    def log(self) -> MemoryLog:
        """Keeps every line."""
        return self.memory_log

    @property
    def state(self) -> MemoryState:
        """In a dictionary."""
        return self.memory_state

    @property
    def http(self) -> SiteClient:
        """The core's own client, on the peer's road."""
        if self._client is None:
            from adapter.exchange.http.factory import Wiring, site_client

            self._client = site_client(
                self._site,
                self._config,
                state=self.memory_state,
                log=self.memory_log,
                wiring=Wiring(
                    now=self.clock.now,
                    sleep=self.clock.sleep,
                    elapsed=self.clock.elapsed,
                    chance=lambda: 0.5,
                    random=self.random,
                    road=self._road,
                ),
            )
        return self._client

    async def close(self) -> None:
        """Let go of the client."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def now(self) -> Any:
        """The clock's time."""
        return self.clock.now()

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and others run."""
        await self.clock.sleep(seconds)
        await asyncio.sleep(0)

    def token(self, purpose: str) -> bytes:
        """Always the same for one purpose."""
        return hashlib.sha256(f"kit|{self._site.name}|{purpose}".encode()).digest()

    def random(self, size: int) -> bytes:
        """Different each time, the same in each run."""
        self._drawn += 1
        return hashlib.shake_256(str(self._drawn).encode()).digest(size)

    def url(self, path: str) -> str:
        """An address of this site."""
        return f"{BASE}/{self._site.name}/{path.lstrip('/')}"

    async def offload(self, function: Callable[..., T], *args: Any) -> T:
        """Run it in a thread."""
        return await asyncio.to_thread(function, *args)

    async def receive(self, message: Inbound) -> Receipt:
        """Keep it, as the core would; see `full` and `gate`."""
        if self.gate is not None:
            await self.gate.wait()
        if self.full:
            raise TransientError("store.full", "the store is full")
        earlier = self._keys.get(message.key)
        if earlier is None:
            self._keys[message.key] = message
            self.accepted.append(message)
            return Receipt(id=str(len(self.accepted)), state="accepted", answer=message.answer)
        if earlier.raw == message.raw:
            return Receipt(id="0", state="duplicate", answer=earlier.answer)
        return Receipt(id="0", state="conflict")

    async def refuse(self, refusal: Refusal) -> None:
        """Keep it."""
        if self.full:
            raise TransientError("store.full", "the store is full")
        self.refused.append(refusal)

    async def page(self, visit: Visit) -> Page:
        """A page that says nothing."""
        self.visits.append(visit)
        status = {"gone": 410, "not-found": 404, "busy": 429}.get(visit.name, 200)
        return Page(status=status, body=b"<p>page</p>")

    async def act(self, wanted: Move | PostedForm) -> Acted:
        """Remember the move or the form; see `full` and `refusing`."""
        if self.full:
            raise TransientError("store.full", "the store is full")
        if isinstance(wanted, PostedForm):
            self.visits.append(wanted.visit)
            self.forms.append(wanted.form)
            page = Page(status=303, body=b"", headers={"Location": wanted.visit.action})
            return Acted(state="done", status=303, page=page)
        if self.refusing:
            why = "the status may not be set"
            return Acted(state="refused", status=409, code="lifecycle.not-allowed", message=why)
        already = any(each.key == wanted.key for each in self.moves)
        self.moves.append(wanted)
        return Acted(state="already" if already else "done", status=200)
