"""A real service in this process, with one site of the reference plugin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.security.keyring import Keyring

CONFIG = """
organization = "Test community health"
[store]
url = "{url}"
key = "file:adapter.key"
[plugins]
enabled = ["reference"]
[sites.north]
system = "reference"
role = "requester"
organization = "Test clinic"
test = true
poll_seconds = {every}
[sites.north.settings]
base_url = "{base}"
page_size = {page}
http = {{ retries = 0, total_timeout = 5 }}
"""


class Shifted:
    """The machine's clock, so many seconds ahead."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC) + timedelta(seconds=self.seconds)


def configured(
    folder: Path,
    base: str,
    *,
    every: int = 1,
    page: int = 2,
    url: str = "sqlite:///adapter.sqlite3",
) -> Path:
    """Write adapter.toml; its path."""
    key = folder / "adapter.key"
    if not key.exists():
        key.write_text(Keyring.generate().to_text())
    file = folder / "adapter.toml"
    file.write_text(CONFIG.format(base=base, every=every, page=page, url=url))
    return file


@asynccontextmanager
async def running(file: Path, clock: Shifted | None = None) -> AsyncIterator[Service]:
    """A service, started; stopped at the end."""
    service = Service.open(load_config(file), pages=Pages(), clock=clock or Shifted())
    await service.start()
    try:
        yield service
    finally:
        await service.stop(2.0)


async def until(condition: Callable[[], Any], patience: float = 15.0) -> Any:
    """What the condition gives, once it gives something."""
    async with asyncio.timeout(patience):
        while not (found := condition()):  # noqa: ASYNC110 - what is waited for is in a database
            await asyncio.sleep(0.02)
    return found


def inbox(service: Service) -> list[tuple[str | None, str]]:
    """Key and state of everything that arrived."""
    rows = service.store.read_now(lambda tx: tx.inbox.list())
    return [(row.key, row.state) for row in rows]


def site(service: Service) -> Any:
    """How the site stands."""
    return service.store.read_now(lambda tx: tx.sites.get("north"))


def poll(service: Service) -> Any:
    """How its polls stand."""
    return service.store.read_now(lambda tx: tx.polls.get("north"))
