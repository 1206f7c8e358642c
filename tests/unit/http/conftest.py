"""A site's HTTP client without sockets: the road is a fake host in process, or respx."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from adapter.exchange.http.client import SiteClient
from adapter.exchange.http.factory import Wiring, site_client
from adapter.plugin.context import Site
from adapter.plugin.http import HttpSystemConfig
from adapter_conformance.fakes.memory import MemoryClock, MemoryLog, MemoryState

HOST = "https://ehr.example.org"


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
def connect(clock: MemoryClock, log: MemoryLog, state: MemoryState) -> Callable[..., SiteClient]:
    """Make a client: `connect(road, test=False, auth={...}, http={...})`."""

    def connect(
        road: httpx.AsyncBaseTransport | None = None, *, test: bool = False, **settings: Any
    ) -> SiteClient:
        site = Site(
            name="north", organization="clinic", test=test, timezone=ZoneInfo("America/Toronto")
        )
        wiring = Wiring(
            now=clock.now,
            sleep=clock.sleep,
            elapsed=clock.elapsed,
            chance=lambda: 0.5,
            road=road,
        )
        config = HttpSystemConfig.model_validate({"base_url": f"{HOST}/fhir"} | settings)
        return site_client(site, config, state=state, log=log, wiring=wiring)

    return connect
