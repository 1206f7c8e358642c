"""OAuth 1.0a against a verifier that takes a plus sign for a plus sign, and behind a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oauthlib import oauth1

from adapter.exchange.http.client import SiteClient
from adapter.exchange.http.factory import Wiring, site_client, surroundings
from adapter.plugin.context import Site
from adapter.plugin.errors import AuthError, SystemFault
from adapter.plugin.http import HttpSystemConfig
from adapter.security.outgoing import authorization
from adapter.security.outgoing.oauth1 import TOKEN, load_pair
from adapter_conformance.fakes.memory import MemoryClock, MemoryLog, MemoryState
from adapter_conformance.fakes.oauth1_server import OAuth1Server

pytestmark = pytest.mark.anyio
Connect = Callable[..., SiteClient]
HOST = "https://ehr.example.org"
BASE = f"{HOST}/emr/ws/services"
INSIDE = "http://tomcat.clinic.lan:8080"
SITE = Site(name="north", organization="clinic", test=False, timezone=ZoneInfo("UTC"))
Step = Callable[..., Awaitable[Any]]


def auth(**more: Any) -> dict[str, Any]:
    return {"type": "oauth1", "consumer_key": "adapter", "consumer_secret": "PLANTED-c"} | more


@pytest.fixture
def server(clock: MemoryClock) -> OAuth1Server:
    return OAuth1Server(clock=clock.timestamp, consumers={"adapter": "PLANTED-c"})


class Clinic:
    """One site that a person authorizes, step by step."""

    def __init__(self, server: OAuth1Server, clock: MemoryClock, state: MemoryState) -> None:
        self.server = server
        self.clock = clock
        self.state = state
        self.road: httpx.AsyncBaseTransport | None = None

    def wiring(self) -> Wiring:
        return Wiring(
            now=self.clock.now,
            sleep=self.clock.sleep,
            elapsed=self.clock.elapsed,
            road=self.road or httpx.ASGITransport(self.server.app),
        )

    async def step(self, function: Step, *args: Any, **settings: Any) -> Any:
        keywords = settings.pop("keywords", {})
        config = HttpSystemConfig.model_validate({"base_url": BASE, "auth": auth(**settings)})
        async with surroundings(
            SITE, config, state=self.state, log=MemoryLog(), wiring=self.wiring()
        ) as around:
            return await function(config.auth, around, *args, **keywords)

    async def authorize(self, **settings: Any) -> None:
        invitation = await self.step(authorization.begin, **settings)
        token = parse_qs(urlsplit(invitation.authorize_url).query)["oauth_token"][0]
        verifier = self.server.consent(token)
        await self.step(authorization.finish, f" {verifier}\n", **settings)


@pytest.fixture
def clinic(server: OAuth1Server, clock: MemoryClock, state: MemoryState) -> Clinic:
    return Clinic(server, clock, state)


async def test_before_anybody_consents_the_site_asks_for_it(
    connect: Connect, server: OAuth1Server
) -> None:
    client = connect(httpx.ASGITransport(server.app), base_url=BASE, auth=auth())

    with pytest.raises(AuthError) as caught:
        await client.get("consults")

    assert caught.value.fix == "Run: adapter sites authorize north"
    assert server.answered == []


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
async def test_a_provider_consents_and_requests_are_signed(
    connect: Connect, server: OAuth1Server, clinic: Clinic, method: str
) -> None:
    await clinic.authorize(signature_method=method)
    client = connect(
        httpx.ASGITransport(server.app), base_url=BASE, auth=auth(signature_method=method)
    )

    answer = await client.get("consults/list", params={"team": "Social  Prescribing+", "é": "à&="})
    posted = await client.post("consults/saveRequest", json={"id": 1})

    assert (answer.json()["provider"], posted.status_code) == ("999998", 200)
    assert server.answered[0][1].endswith("?team=Social%20%20Prescribing%2B&%C3%A9=%C3%A0%26%3D")
    assert server.refusals == []


async def test_a_plus_sign_in_an_address_is_sent_as_a_space_in_percent(
    connect: Connect, server: OAuth1Server, clinic: Clinic
) -> None:
    await clinic.authorize()
    client = connect(httpx.ASGITransport(server.app), base_url=BASE, auth=auth())

    await client.get("consults/list?team=Social+Prescribing")

    assert server.answered[0][1].endswith("?team=Social%20Prescribing")


async def test_the_fake_verifier_refuses_a_plus_sign_for_a_space(
    server: OAuth1Server, clinic: Clinic, state: MemoryState
) -> None:
    """The trap itself: a library that signs the decoded query, and a verifier that does not."""
    await clinic.authorize()
    pair = await load_pair(state, TOKEN)
    assert pair is not None
    url = f"{BASE}/consults?team=Social+Prescribing"
    signer = oauth1.Client(
        "adapter",
        client_secret="PLANTED-c",
        resource_owner_key=pair.token,
        resource_owner_secret=pair.secret,
        timestamp=str(int(clinic.clock.timestamp())),
    )
    _, headers, _ = signer.sign(url)

    async with httpx.AsyncClient(transport=httpx.ASGITransport(server.app)) as plain:
        response = await plain.get(url, headers=headers)

    assert response.status_code == 401
    assert server.refusals == ["signature"]


async def test_behind_a_proxy_the_signature_is_of_the_address_inside(
    connect: Connect, server: OAuth1Server, clinic: Clinic
) -> None:
    server.seen_as = INSIDE
    road = httpx.ASGITransport(server.app)
    with pytest.raises(AuthError):
        await clinic.authorize()
    assert server.refusals == ["signature"]

    inside = {"signing_base_url": f"{INSIDE}/emr/ws/services"}
    await clinic.authorize(**inside)
    response = await connect(road, base_url=BASE, auth=auth(**inside)).get("x", params={"a": "b c"})

    assert response.status_code == 200
    assert server.refusals == ["signature"]


async def test_a_form_body_is_part_of_the_signature(
    connect: Connect, server: OAuth1Server, clinic: Clinic
) -> None:
    await clinic.authorize()
    client = connect(httpx.ASGITransport(server.app), base_url=BASE, auth=auth())

    response = await client.post("x", data={"a": "b c", "d": "é+&"})

    assert response.status_code == 200


@pytest.mark.parametrize("skew", [-301, 301])
async def test_clocks_that_differ_too_much_are_an_auth_error(
    server: OAuth1Server, clinic: Clinic, clock: MemoryClock, skew: int
) -> None:
    server.clock = lambda: clock.timestamp() + skew

    with pytest.raises(AuthError) as caught:
        await clinic.step(authorization.begin)

    assert "clock" in caught.value.fix
    assert server.refusals == ["timestamp or nonce"]


async def test_a_wrong_verifier_is_refused(server: OAuth1Server, clinic: Clinic) -> None:
    invitation = await clinic.step(authorization.begin)
    server.consent(parse_qs(urlsplit(invitation.authorize_url).query)["oauth_token"][0])

    with pytest.raises(AuthError):
        await clinic.step(authorization.finish, "wrong")


async def test_an_answer_to_another_request_is_refused(
    server: OAuth1Server, clinic: Clinic
) -> None:
    with pytest.raises(AuthError, match="no authorization"):
        await clinic.step(authorization.finish, "early")
    await clinic.step(authorization.begin)

    with pytest.raises(AuthError, match="no authorization"):
        await clinic.step(authorization.finish, "v", keywords={"token": "somebody else's"})


async def test_what_was_begun_is_forgotten_after_an_hour(
    server: OAuth1Server, clinic: Clinic, clock: MemoryClock
) -> None:
    await clinic.step(authorization.begin)
    clock.forward(3601)

    with pytest.raises(AuthError, match="no authorization"):
        await clinic.step(authorization.finish, "v")


async def test_a_new_consent_is_used_without_a_restart(
    connect: Connect, server: OAuth1Server, clinic: Clinic
) -> None:
    await clinic.authorize()
    client = connect(httpx.ASGITransport(server.app), base_url=BASE, auth=auth())
    await client.get("x")
    server.revoke_all()
    with pytest.raises(AuthError):
        await client.get("x")

    await clinic.authorize()

    assert (await client.get("x")).status_code == 200


async def test_an_answer_without_a_token_is_a_fault(clinic: Clinic) -> None:
    clinic.road = httpx.MockTransport(lambda request: httpx.Response(200, text="hello"))

    with pytest.raises(SystemFault, match="no OAuth token"):
        await clinic.step(authorization.begin)


@settings(deadline=None, max_examples=60)
@given(
    query=st.dictionaries(st.text(max_size=12), st.text(max_size=20), max_size=5),
    form=st.dictionaries(st.text(max_size=12), st.text(max_size=20), max_size=3),
)
def test_every_query_and_form_verifies(query: dict[str, str], form: dict[str, str]) -> None:
    async def run() -> int:
        clock = MemoryClock()
        state = MemoryState(clock)
        server = OAuth1Server(clock=clock.timestamp, consumers={"adapter": "PLANTED-c"})
        clinic = Clinic(server, clock, state)
        await clinic.authorize()
        config = HttpSystemConfig.model_validate({"base_url": BASE, "auth": auth()})
        client = site_client(SITE, config, state=state, log=MemoryLog(), wiring=clinic.wiring())
        return (await client.post("x", params=query, data=form)).status_code

    assert asyncio.run(run()) == 200
