"""The application in process, over a real SQLite store; no socket is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from adapter.api.app import build_app
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.security.keyring import Keyring

CONFIG = """
organization = "Test community health"
[store]
url = "sqlite:///adapter.sqlite3"
key = "file:adapter.key"
[server]
host = "127.0.0.1"
port = 0
auth = "open"
[plugins]
enabled = ["link"]
[routing]
programs = "programs.toml"
send = "best"
[sites.agency]
system = "link"
role = "performer"
organization = "Test agency"
test = true
[sites.agency.settings]
smtp_host = "127.0.0.1"
smtp_port = 9
smtp_tls = "none"
sender = "referrals@adapter.example"
recipient = "intake@agency.example"
"""
PROGRAMS = """
[[program]]
id = "walking-group"
name_en = "Neighbourhood walking group"
name_fr = "Groupe de marche du quartier"
organization = "Test agency"
site = "agency"
identifiers = ["WALK-1"]
needs = ["social-connection", "Z60.2"]
languages = ["en", "fr"]
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that is open and not started: nothing listens, nothing is sent."""
    tmp_path = tmp_path_factory.mktemp("api")
    (tmp_path / "adapter.key").write_text(Keyring.generate().to_text())
    (tmp_path / "programs.toml").write_text(PROGRAMS)
    (tmp_path / "adapter.toml").write_text(CONFIG)
    made = Service.open(load_config(tmp_path / "adapter.toml"), pages=Pages())
    made.bound("http://adapter.example")
    yield made
    made.store.close()


SMART = CONFIG.replace('auth = "open"', 'auth = "smart"').replace('"best"', '"named"')


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The same with registered clients only."""
    tmp_path = tmp_path_factory.mktemp("smart")
    (tmp_path / "adapter.key").write_text(Keyring.generate().to_text())
    (tmp_path / "programs.toml").write_text(PROGRAMS)
    (tmp_path / "adapter.toml").write_text(SMART)
    made = Service.open(load_config(tmp_path / "adapter.toml"), pages=Pages())
    made.bound("http://adapter.example")
    yield made
    made.store.close()


@pytest.fixture
async def wire(guarded: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its API that has no token yet."""
    transport = httpx.ASGITransport(app=build_app(guarded))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://adapter.example/fhir"
    ) as client:
        yield client


@pytest.fixture
async def api(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of its FHIR API."""
    transport = httpx.ASGITransport(app=build_app(service))
    async with httpx.AsyncClient(
        transport=transport, base_url="http://adapter.example/fhir"
    ) as client:
        yield client
