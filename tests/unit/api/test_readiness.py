"""How readiness is proven: seldom by as much as a message takes, and each time while it fails."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from adapter.api import health
from adapter.plugin.errors import AdapterError


class Store:
    """Takes signs of life, while it has room for them."""

    def __init__(self) -> None:
        self.signs: list[bool] = []
        self.has_room = True

    async def write(self, work: Any) -> None:
        session = SimpleNamespace(prove_key_is_kept=lambda: None, leave_sign_of_life=self.sign)
        work(SimpleNamespace(session=session))

    def sign(self, *, as_large_as_a_message: bool) -> None:
        self.signs.append(as_large_as_a_message)
        if as_large_as_a_message and not self.has_room:
            raise AdapterError("store.full", "The disk of the store is full.")


def asked(app: Starlette) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.get("/ready")

    return asyncio.run(ask())


def test_room_is_proven_now_and_then_and_each_time_while_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, clock = Store(), SimpleNamespace(now=100.0)
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: clock.now))
    app = Starlette(routes=health.health_routes())
    app.state.service = SimpleNamespace(store=store)

    def after(seconds: float) -> int:
        clock.now += seconds
        return asked(app).status_code

    assert [after(0), after(0.5), after(2), after(2)] == [200] * 4
    assert store.signs == [True, False, False]  # and one answer that was known
    store.has_room = False
    assert [after(2), after(health.ROOM_SECONDS), after(2)] == [200, 503, 503]
    assert store.signs[3:] == [False, True, True]
    store.has_room = True
    assert [after(2), after(2)] == [200, 200]
    assert store.signs[6:] == [True, False]


def test_a_store_that_does_not_answer_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: Any) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr(health, "PATIENCE", 0.01)
    app = Starlette(routes=health.health_routes())
    app.state.service = SimpleNamespace(store=SimpleNamespace(write=never))
    answer = asked(app)
    assert (answer.status_code, answer.json()["code"]) == (503, "store.slow")
