"""A site's HTTP client on real sockets of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from adapter.exchange.http.client import SiteClient
from adapter.exchange.http.factory import Wiring, site_client
from adapter.plugin.context import Site
from adapter.plugin.http import HttpSystemConfig
from adapter_conformance.fakes.memory import MemoryClock, MemoryLog, MemoryState


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> MemoryClock:
    return MemoryClock()


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog()


@pytest.fixture
def state(clock: MemoryClock) -> MemoryState:
    return MemoryState(clock)


@pytest.fixture
async def connect(
    clock: MemoryClock, log: MemoryLog, state: MemoryState
) -> AsyncIterator[Callable[..., SiteClient]]:
    """Make a client: `connect(base_url, test=True, resolve=None, auth={...}, http={...})`."""
    async with AsyncExitStack() as stack:

        def connect(
            base_url: str, *, test: bool = True, resolve: Any = None, **settings: Any
        ) -> SiteClient:
            site = Site(name="north", organization="clinic", test=test, timezone=ZoneInfo("UTC"))
            wiring = Wiring(
                now=clock.now,
                sleep=clock.sleep,
                elapsed=clock.elapsed,
                chance=lambda: 0.5,
                resolve=resolve,
            )
            config = HttpSystemConfig.model_validate({"base_url": base_url} | settings)
            client = site_client(site, config, state=state, log=log, wiring=wiring)
            stack.push_async_callback(client.aclose)
            return client

        yield connect
