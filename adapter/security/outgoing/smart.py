"""SMART Backend Services, as a client (SMART App Launch 2.2, "Backend Services").

The assertion is signed anew for each token, lives four minutes of the five that are allowed (so
that clocks may differ by one), and has an id that never comes again.
"""

from __future__ import annotations

from urllib.parse import urljoin

import httpx
import orjson
from joserfc import jwt

from adapter.plugin.auth import SmartAuth
from adapter.plugin.errors import AuthError, ConfigError, DataError, SystemFault
from adapter.security.outgoing.scheme import OutgoingAuth, Surroundings
from adapter.security.outgoing.signing_keys import SigningKey, signing_keys
from adapter.security.outgoing.tokens import (
    BearerAuth,
    Token,
    Tokens,
    ask_for_token,
    send_configured,
)

LIFETIME = 240
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DISCOVERY = ".well-known/smart-configuration"


def smart(settings: SmartAuth, around: Surroundings) -> OutgoingAuth:
    """`type = "smart"`."""
    client = _Client(settings, around)
    return BearerAuth(around.base_url, Tokens(client.fetch, around.elapsed))


def assertion(settings: SmartAuth, key: SigningKey, token_url: str, around: Surroundings) -> str:
    """A signed JWT that proves who asks for a token at `token_url`."""
    issued = int(around.now().timestamp())
    header = {"alg": key.algorithm, "kid": key.key_id, "typ": "JWT"}
    if settings.jwks_url:
        header["jku"] = settings.jwks_url
    claims = {
        "iss": settings.client_id,
        "sub": settings.client_id,
        "aud": token_url,
        "iat": issued,
        "exp": issued + LIFETIME,
        "jti": around.random(16).hex(),
    }
    return jwt.encode(header, claims, key.key, algorithms=[key.algorithm])


class _Client:
    def __init__(self, settings: SmartAuth, around: Surroundings) -> None:
        self._settings = settings
        self._around = around
        self._key = signing_keys(settings)[0]
        self._found: str | None = settings.token_url

    async def fetch(self) -> Token:
        token_url = self._found or await self._discover()
        form = {
            "grant_type": "client_credentials",
            "scope": self._settings.scope,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": assertion(self._settings, self._key, token_url, self._around),
        }
        try:
            token = await ask_for_token(self._around, token_url, form, {})
        except (AuthError, ConfigError):
            self._found = self._settings.token_url  # perhaps it moved: look again next time
            raise
        self._found = token_url
        return token

    async def _discover(self) -> str:
        around = self._around
        url = f"{around.base_url.rstrip('/')}/{DISCOVERY}"
        request = httpx.Request("GET", url, headers={"Accept": "application/json"})
        response = await send_configured(around, request, "base_url")
        fault = around.judge(response)
        if isinstance(fault, DataError):
            raise ConfigError(
                "auth.no-discovery",
                f"the peer of {around.site} publishes no {DISCOVERY} ({response.status_code})",
                fix=f"Set token_url in [sites.{around.site}.settings.auth].",
            )
        if fault is not None:
            raise fault
        return self._token_endpoint(response, url)

    def _token_endpoint(self, response: httpx.Response, url: str) -> str:
        try:
            found = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            found = None
        endpoint = found.get("token_endpoint") if isinstance(found, dict) else None
        if not isinstance(endpoint, str) or not endpoint:
            raise SystemFault("auth.discovery", f"{DISCOVERY} names no token_endpoint")
        named = found.get("token_endpoint_auth_signing_alg_values_supported")
        if isinstance(named, list) and named and self._key.algorithm not in named:
            raise ConfigError(
                "auth.algorithm",
                f"the peer of {self._around.site} does not take {self._key.algorithm}",
                fix="Use a key of the other kind: RSA for RS384, P-384 for ES384.",
            )
        return urljoin(url, endpoint)
