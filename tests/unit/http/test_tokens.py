"""Bearer tokens: fetched once, renewed early, given up after a 401, sent to one origin alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette

from adapter.exchange.http.client import SiteClient
from adapter.plugin.auth import SmartAuth
from adapter.plugin.errors import AuthError, ConfigError, SystemFault, TransientError
from adapter.security.outgoing.signing_keys import public_jwks, signing_keys
from adapter.security.outgoing.tokens import Token, Tokens, usable
from adapter_conformance.fakes.memory import MemoryClock
from adapter_conformance.fakes.oauth2_server import Client, OAuth2Server
from adapter_conformance.fakes.rest_host import RestHost

pytestmark = pytest.mark.anyio
Connect = Callable[..., SiteClient]
HOST = "https://ehr.example.org"
SECRET = "PLANTED-client-secret"
EC = ECKey.generate_key("P-384").as_pem(private=True).decode()
RSA = RSAKey.generate_key(2048).as_pem(private=True).decode()


class Peer:
    """An authorization server and the host that it guards, at one address."""

    def __init__(self, clock: MemoryClock) -> None:
        self.server = OAuth2Server(base=HOST, clock=clock.timestamp)
        self.server.register(Client("adapter", secret=SECRET))
        self.host = RestHost(base=HOST, guard=self.server)
        self.app = Starlette(routes=[*self.server.routes(), *self.host.routes()])
        self.road = httpx.ASGITransport(self.app)


@pytest.fixture
def peer(clock: MemoryClock) -> Peer:
    return Peer(clock)


def oauth2(**more: Any) -> dict[str, Any]:
    return {
        "type": "oauth2",
        "token_url": f"{HOST}/oauth2/token",
        "client_id": "adapter",
        "client_secret": SECRET,
    } | more


def smart(**more: Any) -> dict[str, Any]:
    return {"type": "smart", "client_id": "adapter", "key": EC} | more


def published(**more: Any) -> Callable[[], dict[str, Any]]:
    return lambda: public_jwks(SmartAuth.model_validate(smart(**more)))


async def test_one_token_serves_many_requests(connect: Connect, peer: Peer) -> None:
    client = connect(peer.road, auth=oauth2())

    for _ in range(5):
        await client.get("Task")

    assert (peer.server.token_requests, len(peer.host.requests)) == (1, 5)


async def test_many_at_once_wait_for_one_token(connect: Connect, peer: Peer) -> None:
    client = connect(peer.road, auth=oauth2())

    await asyncio.gather(*(client.get("Task") for _ in range(40)))

    assert peer.server.token_requests == 1


async def test_a_token_is_renewed_before_it_expires(
    connect: Connect, peer: Peer, clock: MemoryClock
) -> None:
    peer.server.lifetime = 60
    client = connect(peer.road, auth=oauth2())

    await client.get("Task")
    clock.forward(47)
    await client.get("Task")
    assert peer.server.token_requests == 1
    clock.forward(2)
    await client.get("Task")

    assert peer.server.token_requests == 2
    assert len(peer.host.requests) == 3


async def test_after_a_401_the_token_is_renewed_and_the_request_sent_once_more(
    connect: Connect, peer: Peer
) -> None:
    client = connect(peer.road, auth=oauth2())
    await client.get("Task")
    peer.server.revoke_all()

    response = await client.post("Task", json={"resourceType": "Task"})

    assert response.status_code == 201
    assert peer.server.token_requests == 2
    assert [each.method for each in peer.host.requests] == ["GET", "POST", "POST"]


async def test_many_401s_at_once_renew_the_token_once(connect: Connect, peer: Peer) -> None:
    client = connect(peer.road, auth=oauth2())
    await client.get("Task")
    peer.server.revoke_all()

    await asyncio.gather(*(client.get("Task") for _ in range(20)))

    assert peer.server.token_requests == 2


async def test_a_401_that_stays_is_an_auth_error_after_one_renewal(
    connect: Connect, peer: Peer
) -> None:
    peer.host.fail_next(*["unauthorized"] * 9)

    with pytest.raises(AuthError):
        await connect(peer.road, auth=oauth2()).get("Task")

    assert (peer.server.token_requests, len(peer.host.requests)) == (2, 2)


async def test_a_token_is_renewed_between_two_tries(connect: Connect, peer: Peer) -> None:
    peer.host.fail_next("unavailable", "unauthorized")

    response = await connect(peer.road, auth=oauth2()).get("Task")

    assert response.status_code == 200
    assert peer.server.token_requests == 2


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("refused", AuthError, "auth.token-refused"),
        ("not-json", SystemFault, "http.html-answer"),
        ("no-token", SystemFault, "auth.no-token"),
        ("not-bearer", SystemFault, "auth.not-bearer"),
        ("server-error", TransientError, "http.server-error"),
        ("unavailable", TransientError, "http.busy"),
        ("rate-limited", TransientError, "http.busy"),
    ],
)
async def test_a_token_endpoint_that_fails_is_named(
    connect: Connect, peer: Peer, fault: str, kind: type, code: str
) -> None:
    peer.server.faults = [fault] * 9

    with pytest.raises(kind) as caught:
        await connect(peer.road, auth=oauth2(), http={"retries": 0}).get("Task")

    assert (type(caught.value), caught.value.code) == (kind, code)
    assert peer.host.requests == []


async def test_a_token_endpoint_that_is_busy_for_a_moment_costs_nothing(
    connect: Connect, peer: Peer
) -> None:
    peer.server.faults = ["unavailable"]

    response = await connect(peer.road, auth=oauth2()).get("Task")

    assert response.status_code == 200


async def test_a_wrong_secret_is_an_auth_error_for_everybody_who_waits_and_asked_once(
    connect: Connect, peer: Peer
) -> None:
    client = connect(peer.road, auth=oauth2(client_secret="wrong"))

    results = await asyncio.gather(*(client.get("Task") for _ in range(10)), return_exceptions=True)

    assert {type(each) for each in results} == {AuthError}
    assert "invalid_client" in str(results[0])
    assert peer.server.token_requests == 1


async def test_a_token_url_that_is_not_there_is_for_a_person_to_correct(
    connect: Connect, peer: Peer
) -> None:
    auth = oauth2(token_url=f"{HOST}/oauth2/nothing")

    with pytest.raises(ConfigError) as caught:
        await connect(peer.road, auth=auth).get("Task")

    assert caught.value.code == "auth.no-token-endpoint"


async def test_the_secret_can_go_in_a_header(connect: Connect, peer: Peer) -> None:
    peer.server.register(Client("ad:a pter", secret="s:e%c/ret +é"))
    auth = oauth2(client_id="ad:a pter", client_secret="s:e%c/ret +é", secret_in="header")

    response = await connect(peer.road, auth=auth).get("Task")

    assert response.status_code == 200


async def test_a_waiter_that_gives_up_does_not_take_the_token_from_the_others() -> None:
    release = asyncio.Event()

    async def fetch() -> Token:
        await release.wait()
        return Token("value", 10.0)

    tokens = Tokens(fetch, lambda: 0.0)
    first = asyncio.create_task(tokens.get())
    second = asyncio.create_task(tokens.get())
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    release.set()

    assert await second == "value"
    assert first.cancelled()


async def test_a_failed_fetch_is_tried_anew_by_the_next_who_asks() -> None:
    outcomes: list[Exception | Token] = [TransientError("x.y", "no"), Token("value", 10.0)]

    async def fetch() -> Token:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    tokens = Tokens(fetch, lambda: 0.0)
    with pytest.raises(TransientError):
        await tokens.get()

    assert await tokens.get() == "value"


@pytest.mark.parametrize("key", [EC, RSA], ids=["ES384", "RS384"])
async def test_a_signed_assertion_gets_a_token_from_a_strict_server(
    connect: Connect, peer: Peer, key: str
) -> None:
    peer.server.register(Client("adapter", jwks=published(key=key)))

    response = await connect(peer.road, auth=smart(key=key)).get("Task")

    assert response.status_code == 200
    assert peer.server.refusals == []


async def test_every_assertion_has_an_id_of_its_own(
    connect: Connect, peer: Peer, clock: MemoryClock
) -> None:
    peer.server.register(Client("adapter", jwks=published()))
    client = connect(peer.road, auth=smart())

    for _ in range(3):
        await client.get("Task")
        peer.server.revoke_all()

    assert peer.server.token_requests == 3
    assert peer.server.refusals == []


@pytest.mark.parametrize("skew", [-55, 55])
async def test_a_minute_between_the_clocks_does_no_harm(
    connect: Connect, peer: Peer, clock: MemoryClock, skew: int
) -> None:
    peer.server.register(Client("adapter", jwks=published()))
    peer.server.clock = lambda: clock.timestamp() + skew

    response = await connect(peer.road, auth=smart()).get("Task")

    assert response.status_code == 200


async def test_keys_rotate_without_a_restart_of_the_peer(connect: Connect, peer: Peer) -> None:
    new = ECKey.generate_key("P-384").as_pem(private=True).decode()
    keys = [EC]
    peer.server.register(Client("adapter", jwks=lambda: published(key=keys[-1])()))
    await connect(peer.road, auth=smart()).get("Task")

    keys.append(new)
    response = await connect(peer.road, auth=smart(key=new)).get("Task")

    assert response.status_code == 200


async def test_the_token_endpoint_is_discovered_once(connect: Connect, peer: Peer) -> None:
    peer.server.register(Client("adapter", jwks=published()))
    client = connect(peer.road, auth=smart())

    for _ in range(2):
        await client.get("Task")
        peer.server.revoke_all()

    assert peer.server.token_requests == 2


@pytest.mark.parametrize(
    ("discovery", "kind", "code"),
    [
        ({"token_endpoint": None}, SystemFault, "auth.discovery"),
        ({"token_endpoint": 3}, SystemFault, "auth.discovery"),
        ({"token_endpoint": "https://evil.example/token"}, ConfigError, "auth.address-refused"),
        ({"token_endpoint": "https://127.0.0.1/token"}, ConfigError, "auth.address-refused"),
        ({"token_endpoint": "file:///etc/passwd"}, ConfigError, "auth.address-refused"),
        (
            {"token_endpoint_auth_signing_alg_values_supported": ["RS384"]},
            ConfigError,
            "auth.algorithm",
        ),
    ],
)
async def test_what_discovery_says_is_not_trusted(
    connect: Connect, peer: Peer, discovery: dict[str, Any], kind: type, code: str
) -> None:
    peer.server.register(Client("adapter", jwks=published()))
    peer.server.discovery = discovery

    with pytest.raises(kind) as caught:
        await connect(peer.road, auth=smart(), http={"retries": 0}).get("Task")

    assert caught.value.code == code
    assert peer.server.token_requests == 0


async def test_without_discovery_a_person_sets_the_token_url(connect: Connect) -> None:
    road = httpx.MockTransport(lambda request: httpx.Response(404))

    with pytest.raises(ConfigError, match="smart-configuration"):
        await connect(road, auth=smart()).get("Task")


def test_the_published_keys_hold_nothing_private() -> None:
    for key in (EC, RSA):
        (jwk,) = published(key=key)()["keys"]
        assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & set(jwk)
        assert jwk["alg"] == ("ES384" if key == EC else "RS384")
        assert jwk["kid"] == signing_keys(SmartAuth.model_validate(smart(key=key)))[0].key_id


def test_a_jwks_with_several_keys_signs_with_the_first_and_publishes_all() -> None:
    keys = [ECKey.generate_key("P-384"), RSAKey.generate_key(2048)]
    text = json.dumps({"keys": [key.as_dict(private=True) for key in keys]})
    several = SmartAuth.model_validate(smart(key=text))

    assert signing_keys(several)[0].algorithm == "ES384"
    assert [key["alg"] for key in public_jwks(several)["keys"]] == ["ES384", "RS384"]


def short_rsa() -> str:
    key = rsa.generate_private_key(65537, 1024)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


UNFIT = {
    "nothing": "",
    "no PEM": "hello",
    "a short RSA key": short_rsa(),
    "the wrong curve": ECKey.generate_key("P-256").as_pem(private=True).decode(),
    "a public key": ECKey.generate_key("P-384").as_pem(private=False).decode(),
    "a public JWK": json.dumps(ECKey.generate_key("P-384").as_dict(private=False)),
    "a shared secret": '{"kty":"oct","k":"c2VjcmV0"}',
    "no JWK": '{"kty":"EC"}',
    "an empty JWKS": '{"keys":[]}',
    "keys that are no list": '{"keys":3}',
    "half a JWK": '{"kty":',
}


@pytest.mark.parametrize("key", UNFIT.values(), ids=UNFIT.keys())
async def test_a_key_that_is_not_fit_is_named_at_the_start(connect: Connect, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        connect(auth=smart(key=key))

    assert caught.value.code == "auth.key-unfit"


async def test_an_algorithm_that_does_not_fit_the_key_is_refused(connect: Connect) -> None:
    with pytest.raises(ConfigError, match="ES384"):
        connect(auth=smart(algorithm="RS384"))


@settings(deadline=None)
@given(
    said=st.none()
    | st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=20)
    | st.lists(st.integers(), max_size=2)
)
def test_a_token_is_never_used_beyond_its_lifetime(said: object) -> None:
    seconds = usable(said)

    assert 0 <= seconds <= 86_400
    if isinstance(said, int | float) and said == said:
        assert seconds <= max(float(min(said, 86_400)), 0)


@pytest.mark.parametrize(("said", "seconds"), [(60, 48), (300, 240), (3600, 3540), ("60", 48)])
def test_a_token_is_given_up_early(said: object, seconds: float) -> None:
    assert usable(said) == seconds


async def test_a_late_401_to_an_old_token_does_not_cost_the_new_one() -> None:
    made = iter([Token("old", 10.0), Token("new", 10.0), Token("newer", 10.0)])

    async def fetch() -> Token:
        return next(made)

    tokens = Tokens(fetch, lambda: 0.0)
    await tokens.get()
    tokens.refused("old")
    await tokens.get()
    tokens.refused("old")

    assert await tokens.get() == "new"
