"""SMART Backend Services clients of a test; their tokens come from the real endpoint."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from adapter.exchange.service import Service
from adapter.security.incoming.assertions import TYPE

EC = ECKey.generate_key("P-384", {"kid": "ec"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
ALGORITHM = {"ec": "ES384", "rsa": "RS384"}


def registered(
    service: Service, name: str, party: str, *scopes: str, key: ECKey | RSAKey = EC
) -> str:
    """A new client's id."""
    jwks = {"keys": [key.as_dict(private=False)]}
    made = service.store.write_now(
        lambda tx: tx.clients.add(
            name,
            organization=service.organization,
            party=party,
            scopes=scopes or ("system/*.cruds",),
            jwks=jwks,
        )
    )
    assert made is not None
    return made


def assertion(service: Service, client: str, *, key: ECKey | RSAKey = EC, **changes: Any) -> str:
    """A signed assertion; `changes` replace claims, None takes one away."""
    now = int(service.now().timestamp())
    claims = {
        "iss": client,
        "sub": client,
        "aud": f"{service.base_url()}/token",
        "exp": now + 240,
        "jti": str(uuid.uuid4()),
    } | changes
    kept = {name: value for name, value in claims.items() if value is not None}
    alg = ALGORITHM[str(key.kid)]
    return jwt.encode({"alg": alg, "kid": key.kid}, kept, key, algorithms=[alg])


async def asked(http: httpx.AsyncClient, signed: str, **changes: Any) -> httpx.Response:
    """What the token endpoint answers."""
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": TYPE,
        "client_assertion": signed,
    } | changes
    kept = {name: value for name, value in form.items() if value is not None}
    return await http.post("http://adapter.example/token", data=kept)


async def token(http: httpx.AsyncClient, service: Service, client: str, scope: str = "") -> str:
    """An access token."""
    answer = await asked(http, assertion(service, client), scope=scope)
    assert answer.status_code == 200, answer.text
    found: str = answer.json()["access_token"]
    return found
