"""The site client on real sockets: slow, cut, huge and foreign answers, TLS, and its own limits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapter.exchange.http.capped import BodyTooLarge
from adapter.exchange.http.client import SiteClient
from adapter.plugin.errors import AuthError, ConfigError, TransientError
from adapter_conformance.fakes.certificates import Authority, Pair
from adapter_conformance.fakes.oauth2_server import Client, OAuth2Server
from adapter_conformance.fakes.rest_host import MIB, RestHost
from adapter_conformance.fakes.serving import beside
from adapter_conformance.fakes.tls_door import tls_door

pytestmark = [pytest.mark.anyio, pytest.mark.network]
Connect = Callable[..., SiteClient]
QUICK = {"retries": 0, "timeout": 0.2, "total_timeout": 0.6}


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("slow-start", "http.no-answer"),
        ("slow-body", "http.no-answer"),
        ("endless-drip", "http.no-answer"),
        ("cut-off", "http.no-answer"),
        ("unavailable", "http.busy"),
        ("server-error", "http.server-error"),
    ],
)
async def test_an_answer_that_does_not_come_whole_is_transient_and_in_time(
    connect: Connect, fault: str, code: str
) -> None:
    host = RestHost(slow_seconds=1.0)
    async with beside(host.app) as host.base:
        client = connect(f"{host.base}/fhir", http=QUICK)
        host.fail_next(fault)
        started = time.perf_counter()
        with pytest.raises(TransientError) as caught:
            await client.get("Task")
        assert time.perf_counter() - started < 2.0

    assert caught.value.code == code


@pytest.mark.parametrize("fault", ["huge-body", "gzip-bomb"])
async def test_an_answer_without_end_is_cut_at_the_limit(connect: Connect, fault: str) -> None:
    host = RestHost(huge_bytes=16 * MIB, bomb_bytes=32 * MIB)
    async with beside(host.app) as host.base:
        client = connect(f"{host.base}/fhir", http={"max_response_bytes": MIB})
        host.fail_next(fault)
        with pytest.raises(BodyTooLarge):
            await client.get("Task")

        assert (await client.get("Task")).status_code == 200


async def test_a_burst_of_503_passes_unseen(connect: Connect) -> None:
    host = RestHost()
    async with beside(host.app) as host.base:
        host.fail_next("unavailable", "unavailable")
        response = await connect(f"{host.base}/fhir").get("Task")

    assert (response.status_code, len(host.requests)) == (200, 3)


async def test_nobody_listening_is_unreachable(connect: Connect) -> None:
    async with beside(RestHost().app) as base:
        pass

    with pytest.raises(TransientError) as caught:
        await connect(f"{base}/fhir", http={"retries": 0}).post("Task", json={})

    assert caught.value.code == "http.unreachable"


async def test_connections_are_kept_open_and_never_more_than_allowed(connect: Connect) -> None:
    peers: set[Any] = set()
    open_now = most = 0

    async def answer(request: Request) -> Response:
        nonlocal open_now, most
        peers.add(request.scope["client"])
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1
        return JSONResponse({})

    async with beside(Starlette(routes=[Route("/{path:path}", answer)])) as base:
        client = connect(base, http={"max_connections": 3})
        await asyncio.gather(*(client.get("x") for _ in range(30)))

    assert (len(peers), most) == (3, 3)


async def test_a_run_goes_on_through_a_401_in_its_middle(connect: Connect) -> None:
    server = OAuth2Server()
    server.register(Client("adapter", secret="PLANTED"))
    host = RestHost(guard=server, pages=5)
    app = Starlette(routes=[*server.routes(), *host.routes()])
    async with beside(app) as base:
        server.base = host.base = base
        auth = {
            "type": "oauth2",
            "token_url": server.token_url,
            "client_id": "adapter",
            "client_secret": "PLANTED",
        }
        found = []
        async for page in connect(f"{base}/fhir", auth=auth).pages("Task"):
            found += [each["resource"]["id"] for each in page.json()["entry"]]
            if len(found) == 4:
                server.revoke_all()

    assert found == [f"synthetic-{n}" for n in range(1, 11)]
    assert server.token_requests == 2


def read(path: Path) -> str:
    return path.read_text("ascii")


async def test_a_peer_of_an_unknown_authority_is_not_trusted(
    connect: Connect, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    with tls_door(authority.issue("localhost")) as door:
        with pytest.raises(TransientError) as caught:
            await connect(door.address, http={"retries": 0}).get("x")

        trusting = connect(door.address, http={"ca": read(authority.certificate)})
        assert (await trusting.get("x")).status_code == 200

    assert caught.value.code == "http.tls"


@pytest.mark.parametrize(
    ("name", "days", "word"),
    [("localhost", -1, "expired"), ("other.example", 1, "match")],
)
async def test_a_certificate_out_of_date_or_of_another_is_named(
    connect: Connect, tmp_path: Path, name: str, days: int, word: str
) -> None:
    authority = Authority(tmp_path)
    with tls_door(authority.issue(name, good_for=timedelta(days=days))) as door:
        client = connect(door.address, http={"retries": 0, "ca": read(authority.certificate)})
        with pytest.raises(TransientError) as caught:
            await client.get("x")

    assert caught.value.code == "http.tls"
    assert word in caught.value.message


def certificate_of(pair: Pair) -> dict[str, Any]:
    return {
        "type": "mtls",
        "certificate": read(pair.certificate),
        "certificate_key": read(pair.key),
    }


async def test_a_client_certificate_opens_the_door_and_none_does_not(
    connect: Connect, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    http = {"retries": 0, "ca": read(authority.certificate)}
    auth = certificate_of(authority.issue("adapter"))
    with tls_door(authority.issue("localhost"), authority.certificate) as door:
        response = await connect(door.address, http=http, auth=auth).get("x")
        with pytest.raises(TransientError):
            await connect(door.address, http=http).get("x")

    assert response.status_code == 200
    assert door.visitors == ["adapter", ""]


async def test_a_client_certificate_is_not_shown_to_another_origin(
    connect: Connect, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server, auth = authority.issue("localhost"), certificate_of(authority.issue("adapter"))
    with (
        tls_door(server, authority.certificate) as home,
        tls_door(server, authority.certificate) as other,
    ):
        http = {
            "retries": 0,
            "ca": read(authority.certificate),
            "allow": [other.address.removeprefix("https://")],
        }
        client = connect(home.address, http=http, auth=auth)
        await client.get("x")
        with pytest.raises(TransientError):
            await client.get(f"{other.address}/x")

    assert home.visitors == ["adapter"]
    assert other.visitors in ([], [""])


async def test_a_certificate_that_does_not_fit_its_key_is_named_at_the_start(
    connect: Connect, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    one, two = authority.issue("one"), authority.issue("two")
    cases = [
        (read(one.certificate), read(two.key)),
        ("no PEM", read(one.key)),
        (read(one.certificate), "no PEM"),
    ]
    for certificate, key in cases:
        auth = {"type": "mtls", "certificate": certificate, "certificate_key": key}
        with pytest.raises(ConfigError) as caught:
            connect("https://localhost:1", auth=auth)
        assert caught.value.code == "auth.certificate"
    with pytest.raises(ConfigError):
        connect("https://localhost:1", http={"ca": "no PEM"})


async def test_a_refused_login_is_an_auth_error_over_sockets_too(connect: Connect) -> None:
    host = RestHost()
    async with beside(host.app) as host.base:
        host.fail_next("unauthorized")
        with pytest.raises(AuthError):
            await connect(f"{host.base}/fhir").get("Task")
