"""A fake OAuth 2.0 authorization server that also speaks SMART Backend Services.

It gives tokens for client secrets and for signed assertions (RFC 7523; SMART App Launch 2.2,
"Asymmetric authentication"), and is as strict as a good server: RS384 and ES384 only, five minutes
at most, every `jti` once, issuer, subject and audience exact, keys from the client's JWKS, which is
read again when a key id is new. Every token that it ever gave is in `issued`, so that a test can
look for it where it must not be.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import anyio
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

ALGORITHMS = ["RS384", "ES384"]
LONGEST_ASSERTION = 300
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FAULTS = {
    "server-error": "500",
    "unavailable": "503, and Retry-After: 1",
    "rate-limited": "429, and Retry-After: 1",
    "refused": "401 invalid_client, whatever was sent",
    "not-json": "200 with a page to log in",
    "no-token": "200 with JSON that holds no token",
    "not-bearer": "a token of another type",
    "expired-at-once": "a token whose expires_in is 0",
    "slow": "a good answer after `slow_seconds`",
}
"""What its token endpoint does wrong, by name."""


@dataclass(slots=True)
class Client:
    """A registered client: a secret, a JWKS, or both."""

    client_id: str
    secret: str | None = field(default=None, repr=False)
    jwks: Callable[[], Mapping[str, Any]] | None = field(default=None, repr=False)
    scope: str = "system/*.rs"


@dataclass(slots=True)
class OAuth2Server:
    """The server. Its public attributes are for tests to set and to read.

    Attributes:
        base: its own address, which assertions must be meant for.
        lifetime: seconds that a token is good for; None leaves `expires_in` out.
        clock: seconds since 1970.
        faults: names of `FAULTS`; each request to the token endpoint takes the first one.
        token_requests: how often the token endpoint was asked.
        refusals: why assertions were refused, in order.
        issued: every token ever given.
    """

    base: str = "http://127.0.0.1"
    lifetime: int | None = 300
    clock: Callable[[], float] = time.time
    slow_seconds: float = 1.0
    faults: list[str] = field(default_factory=list)
    clients: dict[str, Client] = field(default_factory=dict)
    token_requests: int = 0
    refusals: list[str] = field(default_factory=list)
    issued: list[str] = field(default_factory=list, repr=False)
    discovery: dict[str, Any] = field(default_factory=dict)
    _good: dict[str, float] = field(default_factory=dict, repr=False)
    _seen: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    _keys: dict[str, KeySet] = field(default_factory=dict, repr=False)

    def register(self, client: Client) -> None:
        """Let a client in."""
        self.clients[client.client_id] = client
        self._keys.pop(client.client_id, None)

    def revoke_all(self) -> None:
        """No token that was given is good any more."""
        self._good.clear()

    def accepts(self, request: Request) -> bool:
        """True if a request to a resource carries a token that is good now."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._good.get(token, 0.0) > self.clock()

    @property
    def token_url(self) -> str:
        """Where tokens are given."""
        return f"{self.base}/oauth2/token"

    def routes(self) -> list[Route]:
        """Its routes, to mount beside a resource server's."""
        return [
            Route("/oauth2/token", self._token, methods=["POST"]),
            Route("/.well-known/smart-configuration", self._discovery),
            Route("/fhir/.well-known/smart-configuration", self._discovery),
        ]

    @property
    def app(self) -> Starlette:
        """The server alone."""
        return Starlette(routes=self.routes())

    async def _discovery(self, request: Request) -> Response:
        found = {
            "token_endpoint": self.token_url,
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"],
            "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
            "grant_types_supported": ["client_credentials"],
            "scopes_supported": ["system/*.rs"],
            "capabilities": ["client-confidential-asymmetric", "permission-v2"],
        }
        return JSONResponse(found | self.discovery)

    async def _token(self, request: Request) -> Response:
        self.token_requests += 1
        fault = self.faults.pop(0) if self.faults else ""
        broken = await self._broken(fault)
        if broken is not None:
            return broken
        form = {key: str(value) for key, value in (await request.form()).items()}
        if form.get("grant_type") != "client_credentials":
            return _error(400, "unsupported_grant_type")
        client = self._client(request, form)
        if client is None:
            return _error(401, "invalid_client")
        wanted = form.get("scope", client.scope).split()
        if not set(wanted) <= set(client.scope.split()):
            return _error(400, "invalid_scope")
        return self._give(" ".join(wanted), fault)

    async def _broken(self, fault: str) -> Response | None:
        if fault == "server-error":
            return Response("Internal error", 500)
        if fault in ("unavailable", "rate-limited"):
            status = 503 if fault == "unavailable" else 429
            return Response("later", status, headers={"Retry-After": "1"})
        if fault == "refused":
            return _error(401, "invalid_client")
        if fault == "not-json":
            return Response("<!DOCTYPE html><title>Log in</title>", media_type="text/html")
        if fault == "no-token":
            return JSONResponse({"token_type": "bearer"})
        if fault == "slow":
            await anyio.sleep(self.slow_seconds)
        return None

    def _give(self, scope: str, fault: str) -> Response:
        token = secrets.token_urlsafe(32)
        lifetime = 0 if fault == "expired-at-once" else self.lifetime
        self.issued.append(token)
        self._good[token] = self.clock() + (3600 if lifetime is None else lifetime)
        answer: dict[str, Any] = {
            "access_token": token,
            "token_type": "mac" if fault == "not-bearer" else "bearer",
            "scope": scope,
        }
        if lifetime is not None:
            answer["expires_in"] = lifetime
        return JSONResponse(answer, headers={"Cache-Control": "no-store"})

    def _client(self, request: Request, form: Mapping[str, str]) -> Client | None:
        if "client_assertion" in form:
            return self._by_assertion(form)
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        if "Authorization" in request.headers:
            client_id, secret = _basic(request.headers["Authorization"])
        client = self.clients.get(client_id)
        if client is None or not client.secret:
            return None
        fits = secrets.compare_digest(secret.encode(), client.secret.encode())
        return client if fits else None

    def _by_assertion(self, form: Mapping[str, str]) -> Client | None:
        try:
            return self._verified(form)
        except _Refused as refusal:
            self.refusals.append(str(refusal))
            return None

    def _verified(self, form: Mapping[str, str]) -> Client:
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise _Refused("assertion type")
        text = form["client_assertion"]
        header, claims = _unverified(text)
        client = self.clients.get(str(claims.get("iss", "")))
        if client is None or client.jwks is None:
            raise _Refused("unknown client")
        if header.get("alg") not in ALGORITHMS:
            raise _Refused("algorithm")
        if header.get("typ") != "JWT":
            raise _Refused("typ")
        keys = self._keys_of(client, str(header.get("kid", "")))
        try:
            claims = jwt.decode(text, keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            raise _Refused("signature") from None
        self._check_claims(client, claims)
        return client

    def _check_claims(self, client: Client, claims: Mapping[str, Any]) -> None:
        now = self.clock()
        if claims.get("sub") != client.client_id:
            raise _Refused("subject")
        audience = claims.get("aud")
        if self.token_url not in (audience if isinstance(audience, list) else [audience]):
            raise _Refused("audience")
        expires = claims.get("exp")
        if not isinstance(expires, int) or expires <= now:
            raise _Refused("expired")
        if expires > now + LONGEST_ASSERTION:
            raise _Refused("expires too late")
        used = (client.client_id, str(claims.get("jti", "")))
        if not used[1] or self._seen.get(used, 0.0) > now:
            raise _Refused("jti")
        self._seen[used] = float(expires)

    def _keys_of(self, client: Client, key_id: str) -> KeySet:
        assert client.jwks is not None
        keys = self._keys.get(client.client_id)
        if keys is None or all(key.kid != key_id for key in keys.keys):
            published = client.jwks()
            private = {"d", "p", "q", "dp", "dq", "qi", "k"}
            if any(private & set(key) for key in published["keys"]):
                raise _Refused("the client publishes a private key")
            keys = self._keys[client.client_id] = KeySet.import_key_set(dict(published))  # type: ignore[arg-type]
        if all(key.kid != key_id for key in keys.keys):
            raise _Refused("unknown key")
        return keys


class _Refused(Exception):  # noqa: N818 - a decision, not a fault
    pass


def _unverified(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        found = jws.extract_compact(text.encode())
        claims = json.loads(found.payload)
    except (JoseError, ValueError):
        raise _Refused("not a JWT") from None
    if not isinstance(claims, dict):
        raise _Refused("not a JWT")
    return dict(found.headers()), claims


def _basic(header: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(header.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    user, _, password = text.partition(":")
    return unquote_plus(user), unquote_plus(password)


def _error(status: int, word: str) -> Response:
    return JSONResponse({"error": word, "error_description": "not shown"}, status)
