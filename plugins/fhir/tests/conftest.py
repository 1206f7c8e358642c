"""What the tests share: a fake server with a vendor's ways, and a site's system on it."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from world import World


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world() -> AsyncIterator[Callable[..., World]]:
    made: list[World] = []

    def make(ways: str = "strict", **settings: object) -> World:
        made.append(World(ways, **settings))
        return made[-1]

    yield make
    for each in made:
        await each.close()
