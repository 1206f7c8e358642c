"""A site of the plugin `reference`, configured as an operator does it, in a real service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.security.keyring import Keyring

CONFIG = """
organization = "Test community health"
[store]
url = "sqlite:///adapter.sqlite3"
key = "file:adapter.key"
[plugins]
enabled = ["reference"]
[sites.north]
system = "reference"
role = "requester"
organization = "Test clinic"
test = true
[sites.north.settings]
base_url = "{base}"
[sites.north.settings.auth]
{auth}
{more}
"""


def configured(folder: Path, base: str, auth: str, more: str = "") -> Path:
    """Write adapter.toml and its key; its path."""
    (folder / "adapter.key").write_text(Keyring.generate().to_text())
    file = folder / "adapter.toml"
    file.write_text(CONFIG.format(base=base, auth=auth, more=more))
    return file


@asynccontextmanager
async def opened(
    folder: Path, base: str, auth: str, *, more: str = ""
) -> AsyncIterator[tuple[Service, Any]]:
    """The service and the site's system, which is built and not started."""
    service = Service.open(load_config(configured(folder, base, auth, more)), pages=Pages())
    try:
        yield service, service.fleet.build("north")
    finally:
        await service.stop(1.0)
