"""Schemes whose credentials do not change: none, basic, and a key in a header."""

from __future__ import annotations

from base64 import b64encode

import httpx

from adapter.plugin.auth import ApiKeyAuth, BasicAuth, MutualTlsAuth, NoAuth
from adapter.security.outgoing.scheme import OutgoingAuth, Surroundings


class Nothing(OutgoingAuth):
    """Adds nothing: no proof is asked for, or the connection itself is the proof (mutual TLS)."""

    async def sign(self, request: httpx.Request) -> None:
        """Nothing to add."""


class FixedHeader(OutgoingAuth):
    """The same header with every request."""

    def __init__(self, base_url: str, name: str, value: str) -> None:
        super().__init__(base_url)
        self._name = name
        self._value = value
        self.secret_headers = frozenset({name.lower()})

    async def sign(self, request: httpx.Request) -> None:
        """Add the header."""
        request.headers[self._name] = self._value


def nothing(settings: NoAuth | MutualTlsAuth, around: Surroundings) -> OutgoingAuth:
    """`type = "none"` and `type = "mtls"`."""
    return Nothing(around.base_url)


def basic(settings: BasicAuth, around: Surroundings) -> OutgoingAuth:
    """`type = "basic"`: RFC 7617, in UTF-8."""
    return FixedHeader(
        around.base_url,
        "Authorization",
        basic_value(settings.username, settings.password.get_secret_value()),
    )


def api_key(settings: ApiKeyAuth, around: Surroundings) -> OutgoingAuth:
    """`type = "api-key"`."""
    value = settings.prefix + settings.key.get_secret_value()
    return FixedHeader(around.base_url, settings.header, value)


def basic_value(user: str, password: str) -> str:
    """The Authorization header of a user and a password."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode("ascii")
