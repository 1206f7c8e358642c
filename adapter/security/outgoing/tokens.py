"""Bearer tokens: fetched once for all who wait, kept in memory, renewed before they expire."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
import orjson

from adapter.plugin.errors import (
    AdapterError,
    AuthError,
    ConfigError,
    DataError,
    GoneError,
    SystemFault,
)
from adapter.security.known_secrets import remember
from adapter.security.outgoing.scheme import OutgoingAuth, Surroundings

DEFAULT_LIFETIME = 300.0
LONGEST_LIFETIME = 86_400.0
_PRINTABLE = re.compile(r"[!-~]{1,16384}")
# RFC 6749, 5.2; anything else that a server says there is not repeated.
_ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    }
)


class Token:
    """A bearer token and when it is no longer used, in seconds of `Surroundings.elapsed`."""

    __slots__ = ("until", "value")

    def __init__(self, value: str, until: float) -> None:
        self.value = value
        self.until = until

    def __repr__(self) -> str:
        return "Token()"


class Tokens:
    """The present token; whoever needs one while it is fetched waits for that same fetch."""

    def __init__(self, fetch: Callable[[], Awaitable[Token]], elapsed: Callable[[], float]) -> None:
        self._fetch = fetch
        self._elapsed = elapsed
        self._token: Token | None = None
        self._flight: asyncio.Task[Token] | None = None

    async def get(self) -> str:
        """A token that is still good.

        Raises:
            AdapterError: what kept it from being fetched, the same for all who waited.
        """
        token = self._token
        if token is not None and self._elapsed() < token.until:
            return token.value
        if self._flight is None:
            self._flight = asyncio.create_task(self._landed(), name="token")
            self._flight.add_done_callback(_seen)
        return (await asyncio.shield(self._flight)).value

    def refused(self, value: str) -> None:
        """The peer no longer takes this token."""
        if self._token is not None and self._token.value == value:
            self._token = None

    async def _landed(self) -> Token:
        try:
            self._token = await self._fetch()
            remember(self._token.value)
            return self._token
        finally:
            self._flight = None


def _seen(task: asyncio.Task[Token]) -> None:
    """Whoever asked may be gone; then nobody else looks at the error."""
    if not task.cancelled():
        task.exception()


class BearerAuth(OutgoingAuth):
    """A bearer token with every request (RFC 6750)."""

    secret_headers = frozenset({"authorization"})

    def __init__(self, base_url: str, tokens: Tokens) -> None:
        super().__init__(base_url)
        self._tokens = tokens

    async def sign(self, request: httpx.Request) -> None:
        """Add a token that is still good."""
        request.headers["Authorization"] = f"Bearer {await self._tokens.get()}"

    async def renew(self, request: httpx.Request) -> bool:
        """Give up the token that was refused, unless somebody has a newer one already."""
        self._tokens.refused(request.headers["Authorization"].removeprefix("Bearer "))
        return True


async def ask_for_token(
    around: Surroundings, url: str, form: Mapping[str, str], headers: Mapping[str, str]
) -> Token:
    """One request to a token endpoint.

    Raises:
        AuthError: it refused us. ConfigError: there is no token endpoint at this address.
        TransientError: not now; SystemFault: its answer is no token.
    """
    asked = around.elapsed()
    request = httpx.Request(
        "POST", url, data=dict(form), headers={"Accept": "application/json", **headers}
    )
    response = await send_configured(around, request, "token_url")
    fault = around.judge(response)
    if fault is not None:
        raise _refused(around, response, fault)
    return _token(response, asked)


async def send_configured(
    around: Surroundings, request: httpx.Request, setting: str
) -> httpx.Response:
    """Send to an address that the settings, or the peer's discovery, name.

    Raises:
        ConfigError: the address may not be reached; it is no fault of one message.
    """
    try:
        return await around.send(request)
    except DataError as error:
        raise ConfigError(
            "auth.address-refused", f"{setting} of {around.site}: {error.message}", fix=error.fix
        ) from None


def _refused(around: Surroundings, response: httpx.Response, fault: AdapterError) -> AdapterError:
    status = response.status_code
    if status in (404, 405) or isinstance(fault, GoneError):
        return ConfigError(
            "auth.no-token-endpoint",
            f"there is no token endpoint at the token_url of {around.site} ({status})",
            fix=f"Correct token_url in [sites.{around.site}.settings.auth].",
        )
    if not isinstance(fault, AuthError | DataError):
        return fault
    said = _object(response).get("error")
    word = f": {said}" if isinstance(said, str) and said in _ERRORS else ""
    return AuthError(
        "auth.token-refused",
        f"the peer of {around.site} gave no token ({status}){word}",
        fix=f"Check client id, secret or key, and scope in [sites.{around.site}.settings.auth].",
    )


def _token(response: httpx.Response, asked: float) -> Token:
    found = _object(response)
    value, kind = found.get("access_token"), found.get("token_type", "bearer")
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        raise SystemFault("auth.no-token", "the answer of the token endpoint holds no token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise SystemFault("auth.not-bearer", "the peer gave a token that is not a bearer token")
    return Token(value, asked + usable(found.get("expires_in")))


def usable(said: Any) -> float:
    """Seconds for which a token is used: its lifetime, less a fifth, or a minute if that is less.

    A lifetime that is missing or no number counts as five minutes.
    """
    try:
        lifetime = min(float(said), LONGEST_LIFETIME)
    except (TypeError, ValueError, OverflowError):
        lifetime = DEFAULT_LIFETIME
    if not lifetime > 0:
        return 0.0
    return lifetime - min(60.0, lifetime / 5)


def _object(response: httpx.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
