"""The fakes are as strict as they say: what a good server refuses, they refuse."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from adapter_conformance.fakes.memory import MemoryClock, MemoryState
from adapter_conformance.fakes.oauth1_server import OAuth1Server
from adapter_conformance.fakes.oauth2_server import ASSERTION_TYPE, FAULTS, Client, OAuth2Server
from adapter_conformance.fakes.rest_host import ANSWERS, RestHost
from adapter_conformance.fakes.rest_host import FAULTS as HOST_FAULTS

pytestmark = pytest.mark.anyio
BASE = "http://127.0.0.1"
KEY = ECKey.generate_key("P-384", {"kid": "one"})
OTHER = ECKey.generate_key("P-384", {"kid": "one"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})


def server() -> OAuth2Server:
    made = OAuth2Server(base=BASE)
    public = [KEY.as_dict(private=False), RSA.as_dict(private=False)]
    made.register(Client("adapter", secret="secret", jwks=lambda: {"keys": public}))
    return made


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": "adapter",
        "sub": "adapter",
        "aud": f"{BASE}/oauth2/token",
        "exp": now + 200,
        "jti": "1",
    } | more


def signed(key: Any = KEY, algorithm: str = "ES384", **more: Any) -> str:
    header = {"alg": algorithm, "kid": more.pop("kid", "one"), "typ": more.pop("typ", "JWT")}
    return jwt.encode(header, claims(**more), key, algorithms=[algorithm])


async def ask(fake: OAuth2Server, assertion: str, **more: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    } | more
    async with httpx.AsyncClient(transport=httpx.ASGITransport(fake.app)) as client:
        return await client.post(f"{BASE}/oauth2/token", data=form)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: signed(sub="other"), "subject"),
        (lambda: signed(iss="nobody"), "unknown client"),
        (lambda: signed(aud="https://other.example/token"), "audience"),
        (lambda: signed(exp=int(time.time()) - 1), "expired"),
        (lambda: signed(exp=int(time.time()) + 400), "expires too late"),
        (lambda: signed(exp="soon"), "expired"),
        (lambda: signed(jti=""), "jti"),
        (lambda: signed(kid="two"), "unknown key"),
        (lambda: signed(typ="JWS"), "typ"),
        (lambda: signed(OTHER), "signature"),
        (lambda: signed(RSA, "RS256", kid="rsa"), "algorithm"),
        (lambda: signed(OctKey.import_key("a" * 64), "HS384"), "algorithm"),
        (lambda: signed()[:-8] + "AAAAAAAA", "signature"),
        (lambda: "not.a.jwt", "not a JWT"),
        (lambda: "eyJhbGciOiJub25lIn0.e30.", "unknown client"),
    ],
)
async def test_an_assertion_that_is_wrong_in_one_thing_gets_no_token(
    make: Callable[[], str], reason: str
) -> None:
    fake = server()

    response = await ask(fake, make())

    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
    assert (fake.refusals, fake.issued) == ([reason], [])


async def test_an_assertion_is_good_once() -> None:
    fake, assertion = server(), signed()

    assert [(await ask(fake, assertion)).status_code for _ in range(2)] == [200, 401]
    assert fake.refusals == ["jti"]


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"scope": "system/*.cruds"}, "invalid_scope"),
        ({"grant_type": "x"}, "unsupported_grant_type"),
    ],
)
async def test_what_is_not_granted_is_said_so(more: dict[str, str], word: str) -> None:
    response = await ask(server(), signed(), **more)

    assert (response.status_code, response.json()["error"]) == (400, word)


async def test_a_client_that_publishes_its_private_key_is_refused() -> None:
    fake = OAuth2Server(base=BASE)
    fake.register(Client("adapter", jwks=lambda: {"keys": [KEY.as_dict(private=True)]}))

    assert (await ask(fake, signed())).status_code == 401
    assert fake.refusals == ["the client publishes a private key"]


FIRST_ANSWERS: dict[str, Callable[[httpx.Response], bool]] = {
    "server-error": lambda answer: answer.status_code == 500,
    "unavailable": lambda answer: (answer.status_code, answer.headers["Retry-After"]) == (503, "1"),
    "rate-limited": lambda answer: (
        (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
    ),
    "refused": lambda answer: answer.status_code == 401,
    "not-json": lambda answer: answer.text.startswith("<!DOCTYPE html>"),
    "no-token": lambda answer: "access_token" not in answer.json(),
    "not-bearer": lambda answer: answer.json()["token_type"] == "mac",
    "expired-at-once": lambda answer: answer.json()["expires_in"] == 0,
    "slow": lambda answer: answer.elapsed.total_seconds() >= 0.05,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_of_the_authorization_server_lasts_one_request(fault: str) -> None:
    fake = server()
    fake.slow_seconds = 0.05
    fake.faults = [fault]

    first = await ask(fake, signed(jti="1"))
    second = (await ask(fake, signed(jti="2"))).json()

    assert FIRST_ANSWERS[fault](first)
    assert (second["token_type"], second["expires_in"]) == ("bearer", 300)


async def test_a_token_is_good_until_it_expires_or_is_revoked() -> None:
    clock = MemoryClock()
    fake = OAuth2Server(base=BASE, clock=clock.timestamp, lifetime=60)
    fake.register(Client("adapter", secret="secret"))
    host = RestHost(guard=fake)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(fake.app)) as client:
        form = {"grant_type": "client_credentials", "client_id": "adapter"}
        refused = await client.post(f"{BASE}/oauth2/token", data=form | {"client_secret": "no"})
        given = await client.post(f"{BASE}/oauth2/token", data=form | {"client_secret": "secret"})
    headers = {"Authorization": f"Bearer {given.json()['access_token']}"}

    async def status(sent: dict[str, str]) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(host.app)) as client:
            return (await client.get(f"{BASE}/fhir/Task", headers=sent)).status_code

    assert refused.status_code == 401
    assert [
        await status(headers),
        await status({}),
        await status({"Authorization": "Bearer x"}),
    ] == [
        200,
        401,
        401,
    ]
    clock.forward(61)
    assert await status(headers) == 401


def test_every_fault_of_the_host_has_an_answer_and_a_meaning() -> None:
    assert set(HOST_FAULTS) == set(ANSWERS)
    assert all(HOST_FAULTS.values())
    assert all(FAULTS.values())


async def test_programs_are_listed_in_pages_of_its_size() -> None:
    host = RestHost(base=BASE, programs=[{"id": f"p-{number}"} for number in range(3)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(host.app)) as client:
        first = (await client.get(f"{BASE}/api/programs?after=")).json()
        second = (await client.get(first["next"])).json()
    assert [each["program"]["id"] for each in first["items"] + second["items"]] == [
        "p-0", "p-1", "p-2",
    ]  # fmt: skip
    assert second["next"] is None


async def test_a_fault_that_is_not_there_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="rate-limited"):
        RestHost().fail_next("no such fault")


@pytest.mark.parametrize("fault", [name for name in HOST_FAULTS if name != "endless-drip"])
async def test_every_fault_of_the_host_lasts_one_request(fault: str) -> None:
    host = RestHost(base=BASE, slow_seconds=0.01, huge_bytes=1 << 20, bomb_bytes=1 << 20)
    good = RestHost(base=BASE)
    host.fail_next(fault)
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(host.app)) as client,
        httpx.AsyncClient(transport=httpx.ASGITransport(good.app)) as other,
    ):
        first = await client.get(f"{BASE}/fhir/Task")
        second = await client.get(f"{BASE}/fhir/Task")
        wanted = await other.get(f"{BASE}/fhir/Task")

    assert (first.status_code, first.content) != (wanted.status_code, wanted.content)
    assert (second.status_code, second.content) == (wanted.status_code, wanted.content)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("", "consumer"),
        ("Bearer x", "consumer"),
        ('OAuth oauth_consumer_key="nobody"', "consumer"),
        ('OAuth oauth_consumer_key="adapter"', "token"),
        ('OAuth oauth_consumer_key="adapter",oauth_token="x"', "token"),
    ],
)
async def test_the_oauth1_server_lets_nobody_in_without_proof(header: str, reason: str) -> None:
    fake = OAuth1Server(consumers={"adapter": "secret"})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(fake.app)) as client:
        response = await client.get(f"{BASE}/emr/ws/services/x", headers={"Authorization": header})

    assert (response.status_code, fake.refusals, fake.answered) == (401, [reason], [])


async def test_the_memory_state_adds_once_and_forgets_what_expired() -> None:
    clock = MemoryClock()
    state = MemoryState(clock)

    assert await state.add("a", b"1")
    assert not await state.add("a", b"2")
    await state.put("b", b"3", expires=clock.now())
    assert (await state.get("a"), await state.get("b")) == (b"1", None)
    await state.delete("a")
    assert await state.get("a") is None
