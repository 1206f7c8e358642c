"""Planted credentials never turn up: not in logs, reprs, errors, answers, or at another origin."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import structlog
from joserfc.jwk import ECKey
from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette

from adapter.exchange.http.client import SiteClient
from adapter.plugin.auth import AuthSettings, SmartAuth
from adapter.plugin.errors import AdapterError, ConfigError
from adapter.plugin.http import HttpSystemConfig
from adapter.security.outgoing.fixed import FixedHeader
from adapter.security.outgoing.registry import SCHEMES
from adapter.security.outgoing.signing_keys import public_jwks
from adapter_conformance.fakes.memory import MemoryClock, MemoryLog, MemoryState
from adapter_conformance.fakes.oauth1_server import OAuth1Server
from adapter_conformance.fakes.oauth2_server import Client, OAuth2Server
from adapter_conformance.fakes.rest_host import RestHost

pytestmark = pytest.mark.anyio
Connect = Callable[..., SiteClient]
HOST = "https://ehr.example.org"
PLANTED = "PLANTED-8f3c2a71"
EC = ECKey.generate_key("P-384")
PEM = EC.as_pem(private=True).decode()

SETTINGS: dict[str, dict[str, Any]] = {
    "none": {"type": "none"},
    "basic": {"type": "basic", "username": "adapter", "password": PLANTED},
    "api-key": {"type": "api-key", "header": "X-Clinic-Key", "prefix": "Key ", "key": PLANTED},
    "oauth2": {
        "type": "oauth2",
        "token_url": f"{HOST}/oauth2/token",
        "client_id": "adapter",
        "client_secret": PLANTED,
    },
    "smart": {"type": "smart", "client_id": "adapter", "key": PEM},
    "oauth1": {"type": "oauth1", "consumer_key": "adapter", "consumer_secret": PLANTED},
}


class World:
    """A peer that lets everybody in, and remembers every secret that it saw or gave."""

    def __init__(self, clock: MemoryClock) -> None:
        self.server = OAuth2Server(base=HOST, clock=clock.timestamp)
        jwks = public_jwks(SmartAuth.model_validate(SETTINGS["smart"]))
        self.server.register(Client("adapter", secret=PLANTED, jwks=lambda: jwks))
        self.oauth1 = OAuth1Server(clock=clock.timestamp, consumers={"adapter": PLANTED})
        self.host = RestHost(base=HOST, elsewhere="https://files.example.org")
        self.app = Starlette(routes=[*self.server.routes(), *self.host.routes()])
        self.road = httpx.ASGITransport(self.app)

    def secrets(self) -> set[str]:
        sent = {each.authorization for each in self.host.requests}
        words = {word for line in sent for word in line.replace('"', " ").split() if len(word) > 12}
        key = EC.as_dict(private=True)["d"]
        return words | {PLANTED, str(key), PEM.splitlines()[1], *self.server.issued}


@pytest.fixture
def world(clock: MemoryClock) -> World:
    return World(clock)


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """All that any library of this process logs, at the lowest level."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def shown(*things: object) -> str:
    """Everything that a person or a log could get to see of these."""
    parts = []
    for thing in things:
        parts += [repr(thing), str(thing), repr(getattr(thing, "__dict__", ""))]
        if isinstance(thing, BaseException):
            parts += traceback.format_exception(thing, limit=None)
            parts += [repr(each) for each in (thing.__cause__, thing.__context__) if each]
        if isinstance(thing, httpx.Response):
            parts += [repr(thing.request.headers.raw), repr(thing.request.__dict__)]
            parts += [repr(each.request.headers.raw) for each in thing.history]
    return "\n".join(parts)


async def give_oauth1_token(state: MemoryState) -> None:
    pair = {"token": f"{PLANTED}-token", "secret": f"{PLANTED}-secret"}
    await state.put("oauth1/token", json.dumps(pair).encode())


@pytest.mark.parametrize("scheme", SETTINGS)
async def test_credentials_are_not_shown_by_anything_that_a_plugin_holds(
    connect: Connect,
    world: World,
    log: MemoryLog,
    state: MemoryState,
    everything_logged: io.StringIO,
    scheme: str,
) -> None:
    await give_oauth1_token(state)
    client = connect(world.road, auth=SETTINGS[scheme], http={"retries": 1})
    held: list[object] = [client, await client.get("Task", params={"name": "tremblay"})]
    for fault in ("unauthorized", "forbidden", "server-error", "unprocessable", "cut-off"):
        world.host.fail_next(fault, fault)
        held.append((await asyncio.gather(client.get("Task"), return_exceptions=True))[0])
    world.host._faults.clear()
    config = HttpSystemConfig.model_validate({"base_url": HOST, "auth": SETTINGS[scheme]})
    held += [config, config.auth, log.lines, world.server, world.host]

    text = shown(*held) + everything_logged.getvalue()

    assert any(isinstance(each, AdapterError) for each in held)
    if scheme != "none":
        assert all(each.authorization for each in world.host.requests) or scheme == "api-key"
    for secret in world.secrets():
        assert secret not in text
    assert "tremblay" not in repr(log.lines) + everything_logged.getvalue()


@pytest.mark.parametrize("scheme", [name for name in SETTINGS if name not in ("none", "api-key")])
async def test_the_planted_credentials_are_really_sent_to_the_peer(
    connect: Connect, world: World, state: MemoryState, scheme: str
) -> None:
    """Without this, the claim above could hold for a client that sends nothing."""
    await give_oauth1_token(state)

    await connect(world.road, auth=SETTINGS[scheme]).get("Task")

    assert world.host.requests[0].authorization.startswith(("Basic ", "Bearer ", "OAuth "))


@pytest.mark.parametrize("scheme", SETTINGS)
async def test_no_credentials_go_to_another_origin(
    connect: Connect, state: MemoryState, clock: MemoryClock, scheme: str
) -> None:
    await give_oauth1_token(state)
    world = World(clock)
    elsewhere: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "ehr.example.org" and request.url.port is None:
            return await world.road.handle_async_request(request)
        elsewhere.append(request)
        return httpx.Response(200)

    allow = ["files.example.org", "ehr.example.org:8443", "ehr.example.org.evil.example"]
    client = connect(httpx.MockTransport(answer), auth=SETTINGS[scheme], http={"allow": allow})
    mine = {"Authorization": f"Bearer {PLANTED}", "Cookie": PLANTED, "X-Kept": "1"}
    for host in allow:
        await client.get(f"https://{host}/fhir/Task", headers=mine)
        await client.post(f"https://{host}/fhir/Task", json={})
    for fault in ("redirect-elsewhere", "moved-elsewhere", "foreign-next"):
        world.host.fail_next(fault)
        with pytest.raises(AdapterError):
            async for _ in client.pages("Task"):
                pass

    assert len(elsewhere) == 2 * len(allow)
    assert elsewhere[0].headers["X-Kept"] == "1"
    for request in elsewhere:
        sent = {name.lower() for name in request.headers}
        assert not sent & {"authorization", "cookie", "x-clinic-key", "proxy-authorization"}
        assert PLANTED not in repr(request.headers.raw)


async def test_a_custom_header_with_a_key_is_sent_home_and_nowhere_else(connect: Connect) -> None:
    seen: dict[str, str | None] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        seen[request.url.host] = request.headers.get("X-Clinic-Key")
        return httpx.Response(200)

    client = connect(
        httpx.MockTransport(answer),
        auth=SETTINGS["api-key"],
        http={"allow": ["files.example.org"]},
    )
    response = await client.get("Task")
    await client.get("https://files.example.org/1", headers={"X-Clinic-Key": "given by hand"})

    assert seen == {"ehr.example.org": f"Key {PLANTED}", "files.example.org": None}
    assert "X-Clinic-Key" not in response.request.headers


async def test_a_host_that_is_not_allowed_is_not_asked(connect: Connect) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200)

    client = connect(httpx.MockTransport(answer))
    for url in (
        "https://files.example.org/x",
        "https://ehr.example.org:8443/fhir",
        "http://ehr.example.org/",
    ):
        with pytest.raises(AdapterError):
            await client.get(url)

    assert asked == []


BROKEN: list[dict[str, Any]] = [
    {"type": "basic", "username": "a:b", "password": PLANTED},
    {"type": "basic", "password": PLANTED},
    {"type": "api-key", "key": PLANTED, "header": "no header"},
    {"type": "oauth2", "client_secret": PLANTED},
    {"type": "none", "password": PLANTED},
    {"type": "mtls"},
    {"type": "mtls", "certificate": PLANTED},
    {"type": "smart", "client_id": "a", "key": PLANTED, "algorithm": "HS256"},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_settings_that_are_wrong_are_refused_without_being_repeated(
    broken: dict[str, Any],
) -> None:
    with pytest.raises(ValidationError) as caught:
        HttpSystemConfig.model_validate({"base_url": HOST, "auth": broken})

    assert PLANTED not in str(caught.value)


async def test_a_key_that_cannot_be_read_is_not_repeated(connect: Connect) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(auth={"type": "smart", "client_id": "a", "key": PLANTED})

    assert PLANTED not in shown(caught.value)


def test_every_scheme_of_the_settings_has_its_builder() -> None:
    schema = TypeAdapter(AuthSettings).json_schema()

    assert set(schema["discriminator"]["mapping"]) == set(SCHEMES)
    assert set(SETTINGS) | {"mtls"} == set(SCHEMES)


def test_every_setting_says_what_it_is_for() -> None:
    schema = HttpSystemConfig.model_json_schema()
    for name, table in schema["$defs"].items():
        for key, field in table["properties"].items():
            assert key == "type" or field.get("description"), f"{name}.{key}"


async def test_our_own_log_lines_are_structured_and_quiet_by_default(
    connect: Connect, world: World
) -> None:
    with structlog.testing.capture_logs() as lines:
        client = connect(world.road, auth=SETTINGS["oauth2"])
        client._log = structlog.get_logger("plugin")
        await client.get("Task/tremblay")

    assert [line["path"] for line in lines] == ["/fhir/Task/{}"]


class Careless(httpx.Auth):
    """A scheme that would sign anything."""

    def auth_flow(self, request: httpx.Request) -> Any:
        request.headers["Authorization"] = PLANTED
        yield request


async def test_the_client_alone_keeps_credentials_from_another_origin(connect: Connect) -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("Authorization", ""))
        return httpx.Response(200)

    client = connect(httpx.MockTransport(answer), http={"allow": ["files.example.org"]})
    client._auth = Careless()
    await client.get("Task")
    await client.get("https://files.example.org/1")

    assert sent == [PLANTED, ""]


async def test_a_scheme_alone_keeps_credentials_from_another_origin() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers.get("Authorization", ""))
        return httpx.Response(200)

    auth = FixedHeader(f"{HOST}/fhir", "Authorization", PLANTED)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), auth=auth) as careless:
        for url in (
            HOST,
            f"{HOST}:443/x",
            f"{HOST}:8443/",
            "http://ehr.example.org/",
            "https://a.b/",
        ):
            await careless.get(url)

    assert sent == [PLANTED, PLANTED, "", "", ""]


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "oauthlib.oauth1.rfc5849"])
async def test_a_library_stays_quiet_even_if_somebody_turns_its_log_up(
    connect: Connect, everything_logged: io.StringIO, name: str
) -> None:
    connect()
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        logger.debug(PLANTED)
        logger.info(PLANTED)
        logger.warning("told")
    finally:
        logger.setLevel(before)

    assert "told" in everything_logged.getvalue()
    assert PLANTED not in everything_logged.getvalue()
