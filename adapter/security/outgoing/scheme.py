"""What every authentication scheme is: it signs a request to its own origin, and no other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import httpx

from adapter.plugin.context import State
from adapter.plugin.errors import AdapterError


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a scheme needs of the core.

    Attributes:
        site: the site's name, for messages.
        base_url: the address whose origin gets the credentials.
        send: sends a request without credentials and reads the answer; an AdapterError if there is
            none.
        judge: the error that an answer stands for, or None.
        state: the site's durable store.
        now: the time of day, for what is signed.
        elapsed: seconds of a clock that never goes back, for what expires.
        random: fresh random bytes.
    """

    site: str
    base_url: str
    send: Callable[[httpx.Request], Awaitable[httpx.Response]]
    judge: Callable[[httpx.Response], AdapterError | None]
    state: State
    now: Callable[[], datetime]
    elapsed: Callable[[], float]
    random: Callable[[int], bytes]


class OutgoingAuth(httpx.Auth, ABC):
    """A scheme at one site. Its repr shows its name alone."""

    secret_headers: frozenset[str] = frozenset()
    requires_response_body = False

    def __init__(self, base_url: str) -> None:
        self._home = _origin(httpx.URL(base_url))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    @abstractmethod
    async def sign(self, request: httpx.Request) -> None:
        """Add what proves who we are.

        Raises:
            AuthError: nothing here proves it; a person must act. TransientError: not now.
        """

    async def renew(self, request: httpx.Request) -> bool:
        """After a 401 to `request`: True if signing again could help."""
        return False

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sign and send; once more, newly signed, after a 401."""
        if _origin(request.url) != self._home:
            yield request
            return
        await self.sign(request)
        response = yield request
        if response.status_code == 401 and await self.renew(request):
            await self.sign(request)
            yield request


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    default = {"https": 443, "http": 80}.get(url.scheme)
    return url.scheme, url.raw_host, url.port or default
