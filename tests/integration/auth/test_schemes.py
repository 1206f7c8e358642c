"""Every scheme of authentication, given by the core to a plugin, against real servers on loopback.

Each test configures a site as an operator does (adapter.toml, secrets by reference), and lets the
plugin `reference` speak to a peer that lets in only who proves it.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from adapter.api.app import build_app
from adapter.plugin.errors import AdapterError, AuthError, SystemFault
from adapter_conformance.fakes.certificates import Authority
from adapter_conformance.fakes.oauth2_server import Client, OAuth2Server
from adapter_conformance.fakes.serving import beside
from adapter_conformance.fakes.tls_door import tls_door
from tests.integration.auth.site import opened
from tests.integration.polling.outbox_host import OutboxHost

pytestmark = [pytest.mark.anyio, pytest.mark.network]
PLANTED = "PLANTED-secret-7391"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Doorkeeper:
    """Lets in requests that carry one header's value; everybody else gets 401."""

    app: Any
    header: str
    wanted: str
    seen: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope)
        said = request.headers.get(self.header, "")
        self.seen.append(said)
        if self.wanted and said != self.wanted:
            await Response("no", 401)(scope, receive, send)
            return
        await self.app(scope, receive, send)


BASIC = "Basic " + base64.b64encode(f"adapter:{PLANTED}".encode()).decode()


@pytest.mark.parametrize(
    ("auth", "header", "wanted"),
    [
        ('type = "none"', "Authorization", ""),
        (
            'type = "basic"\nusername = "adapter"\npassword = "file:secret"',
            "Authorization",
            BASIC,
        ),
        ('type = "api-key"\nkey = "file:secret"', "X-API-Key", PLANTED),
        (
            'type = "api-key"\nheader = "Authorization"\nprefix = "Token "\nkey = "file:secret"',
            "Authorization",
            f"Token {PLANTED}",
        ),
    ],
    ids=["none", "basic", "api-key", "api-key-prefix"],
)
async def test_a_fixed_secret_is_shown_with_every_request(
    tmp_path: Path, auth: str, header: str, wanted: str
) -> None:
    (tmp_path / "secret").write_text(PLANTED)
    door = Doorkeeper(OutboxHost().app, header, wanted)
    async with beside(door) as base, opened(tmp_path, base, auth) as (service, system):
        assert [each.state for each in await system.check()] == ["ok"]
        await service.fleet.close()

    assert door.seen == [wanted]


@pytest.mark.parametrize("where", ["body", "header"])
async def test_client_credentials_are_renewed_before_they_expire_and_after_a_401(
    tmp_path: Path, where: str
) -> None:
    (tmp_path / "secret").write_text(PLANTED)
    server = OAuth2Server()
    server.register(Client("adapter", secret=PLANTED, scope="system/*.rs"))
    async with beside(guarded(server)) as server.base:
        auth = (
            f'type = "oauth2"\ntoken_url = "{server.token_url}"\nclient_id = "adapter"\n'
            f'client_secret = "file:secret"\nscope = "system/*.rs"\nsecret_in = "{where}"'
        )
        async with opened(tmp_path, f"{server.base}/api", auth) as (_, system):
            for _ in range(3):
                assert (await system.check())[0].state == "ok"
            assert server.token_requests == 1

            server.revoke_all()
            assert (await system.check())[0].state == "ok"
            assert server.token_requests == 2


def guarded(server: OAuth2Server) -> Starlette:
    """An authorization server, and an API that takes its tokens."""

    class Guard:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            if server.accepts(Request(scope)):
                await self.app(scope, receive, send)
            else:
                await Response("no", 401)(scope, receive, send)

    return Starlette(
        routes=[
            *server.routes(),
            Route("/api/.well-known/smart-configuration", server._discovery),
            Mount("/api", app=OutboxHost().app, middleware=[Middleware(Guard)]),
        ]
    )


def pem(key: Any) -> str:
    made: bytes = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return made.decode()


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("RS384", rsa.generate_private_key(65537, 2048)),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
    ],
)
async def test_smart_backend_services_with_our_keys_at_our_own_address(
    tmp_path: Path, algorithm: str, key: Any
) -> None:
    (tmp_path / "smart.pem").write_text(pem(key))
    auth = (
        f'type = "smart"\nclient_id = "adapter"\nkey = "file:smart.pem"\nalgorithm = "{algorithm}"'
    )
    server = OAuth2Server()
    published: list[dict[str, Any]] = []
    async with (
        beside(guarded(server)) as server.base,
        opened(tmp_path, f"{server.base}/api", auth) as (service, system),
        beside(build_app(service)) as ours,
    ):

        def fetched() -> dict[str, Any]:
            found = httpx.get(f"{ours}/.well-known/jwks.json", trust_env=False)
            published.append(found.json())
            return published[-1]

        server.register(Client("adapter", jwks=fetched))
        assert (await system.check())[0].state == "ok"
        server.revoke_all()
        assert (await system.check())[0].state == "ok"

    assert server.refusals == []
    assert server.token_requests == 2
    (shown,) = published[0]["keys"]
    assert (shown["alg"], shown["use"]) == (algorithm, "sig")
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(shown)


async def test_a_client_certificate_alone_is_enough(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    ours, theirs = authority.issue("our-side"), authority.issue("localhost")
    auth = (
        f'type = "mtls"\ncertificate = "file:{ours.certificate.name}"\n'
        f'certificate_key = "file:{ours.key.name}"'
    )
    more = f'\n[sites.north.settings.http]\nca = "file:{authority.certificate.name}"\nretries = 0'
    with tls_door(theirs, authority.certificate) as door:
        async with opened(tmp_path, door.address, auth, more=more) as (_, system):
            (found,) = await system.check()
            assert found.state == "ok", found.detail

    assert door.visitors == ["our-side"]


@pytest.mark.parametrize("way", ["redirect", "moved", "next"])
async def test_no_credential_goes_to_another_origin(tmp_path: Path, way: str) -> None:
    (tmp_path / "secret").write_text(PLANTED)
    foreign = Doorkeeper(OutboxHost().app, "X-API-Key", "")
    async with beside(foreign) as elsewhere:

        async def leads_away(request: Request) -> Response:
            if way == "next":
                body = f'{{"items": [], "next": "{elsewhere}/outbox?after=0&limit=2"}}'
                return Response(body, media_type="application/json")
            status = 302 if way == "redirect" else 301
            return RedirectResponse(f"{elsewhere}/outbox?after=0&limit=2", status)

        async with beside(Starlette(routes=[Route("/outbox", leads_away)])) as base:
            auth = 'type = "api-key"\nkey = "file:secret"'
            async with opened(tmp_path, base, auth) as (_, system):
                with pytest.raises((SystemFault, AdapterError)) as raised:
                    async for _ in system.poll(None):
                        pass

    assert PLANTED not in str(raised.value)
    assert PLANTED not in foreign.seen
    if way == "next":
        assert foreign.seen == []


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[Any]]:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as events:
        yield events


async def test_a_token_is_in_no_log_no_error_and_no_repr(
    tmp_path: Path, everything_logged: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "secret").write_text(PLANTED)
    server = OAuth2Server()
    server.register(Client("adapter", secret=PLANTED))
    async with beside(guarded(server)) as server.base:
        auth = (
            f'type = "oauth2"\ntoken_url = "{server.token_url}"\nclient_id = "adapter"\n'
            'client_secret = "file:secret"'
        )
        async with opened(tmp_path, f"{server.base}/api", auth) as (service, system):
            await system.check()
            server.clients.clear()
            server.revoke_all()
            with pytest.raises(AuthError) as raised:
                await system.context.http.get("status")
            shown = [repr(system.config), repr(system.context.http), repr(raised.value)]
            shown += [raised.value.detail, raised.value.fix, str(service.config)]
    shown += [repr(event) for event in everything_logged] + [caplog.text]
    assert len(everything_logged) > 2
    for secret in (PLANTED, *server.issued):
        assert [text for text in shown if secret in text] == []
