"""`adapter sites authorize`: a person consents at a real OAuth 1.0a server, and the site works."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter_conformance.fakes.oauth1_server import OAuth1Server
from adapter_conformance.fakes.serving import beside
from tests.integration.auth.site import configured

pytestmark = [pytest.mark.anyio, pytest.mark.network]
AUTH = 'type = "oauth1"\nconsumer_key = "adapter"\nconsumer_secret = "file:consumer"'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> OAuth1Server:
    return OAuth1Server(consumers={"adapter": "PLANTED-consumer"})


def site(folder: Path, base: str, auth: str = AUTH) -> Path:
    (folder / "consumer").write_text("PLANTED-consumer")
    return configured(folder, f"{base}/emr/ws/services", auth)


async def command(file: Path, *words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapter.cli", "sites", *words, "--config", str(file), "--json",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def invitation(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 30)
    assert line, (await process.communicate())[1].decode()
    url: str = json.loads(line)["authorize_url"]
    return url


def stored(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.glob("adapter.sqlite3*"))


async def state_of(file: Path) -> str:
    service = Service.open(load_config(file), pages=Pages())
    try:
        (found,) = await service.fleet.build("north").check()
        return found.state
    finally:
        await service.stop(1.0)


async def test_the_code_that_a_person_types_becomes_a_token_that_nobody_sees(
    server: OAuth1Server, tmp_path: Path
) -> None:
    async with beside(server.app) as base:
        file = site(tmp_path, base)
        assert await state_of(file) == "fail"

        process = await command(file, "authorize", "north")
        url = await invitation(process)
        token = parse_qs(urlsplit(url).query)["oauth_token"][0]
        out, errors = await process.communicate(f"{server.consent(token)}\n".encode())

        assert process.returncode == 0, errors.decode()
        assert json.loads(out) == {"site": "north", "state": "authorized"}
        assert await state_of(file) == "ok"
    printed = out + errors
    granted = server.secrets_given[2:]
    assert len(granted) == 2
    kept = stored(tmp_path)
    for secret in granted:
        assert secret.encode() not in printed
        assert secret.encode() not in kept


async def test_the_callback_takes_the_answer_of_the_persons_browser(
    server: OAuth1Server, tmp_path: Path
) -> None:
    async with beside(server.app) as base, httpx.AsyncClient(trust_env=False) as browser:
        file = site(tmp_path, base)
        process = await command(file, "authorize", "north", "--callback", "0")
        agreed = await browser.post(await invitation(process))
        back = agreed.headers["Location"]
        assert back.startswith("http://127.0.0.1:")

        nothing = await browser.get(back.partition("?")[0] + "/../x")
        assert nothing.status_code == 404
        shown = await browser.get(back)
        assert (shown.status_code, "close" in shown.text) == (200, True)
        _, errors = await process.communicate()

        assert process.returncode == 0, errors.decode()
        assert await state_of(file) == "ok"


async def test_an_answer_to_another_request_is_not_taken(
    server: OAuth1Server, tmp_path: Path
) -> None:
    async with beside(server.app) as base, httpx.AsyncClient(trust_env=False) as browser:
        file = site(tmp_path, base)
        process = await command(file, "authorize", "north", "--callback", "0")
        url = await invitation(process)
        back = (await browser.post(url)).headers["Location"].partition("?")[0]
        await browser.get(back, params={"oauth_token": "forged", "oauth_verifier": "forged"})
        _, errors = await process.communicate()

        assert process.returncode == 5
        assert "auth.nothing-pending" in errors.decode()
        assert await state_of(file) == "fail"


@pytest.mark.parametrize(
    ("words", "auth", "code", "said"),
    [
        (("authorize", "north"), 'type = "none"', 3, "auth.no-consent-needed"),
        (("authorize", "south"), AUTH, 3, "site.unknown"),
        (("authorize", "north"), AUTH, 5, "auth.no-answer"),
    ],
)
async def test_what_cannot_be_authorized_is_said(
    server: OAuth1Server,
    tmp_path: Path,
    words: tuple[str, ...],
    auth: str,
    code: int,
    said: str,
) -> None:
    async with beside(server.app) as base:
        process = await command(site(tmp_path, base, auth), *words)
        _, errors = await process.communicate(b"")

    assert process.returncode == code
    assert said in errors.decode()
