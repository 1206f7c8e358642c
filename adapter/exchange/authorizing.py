"""What `adapter sites authorize` does: a person's consent becomes a site's access token.

The token goes from the peer into the site's encrypted state; nothing here returns it. A callback,
where the person's browser is on this machine, is one address of loopback, open for as long as the
step takes, that knows one path and answers two short sentences.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs, urlsplit

from adapter.exchange import operations
from adapter.exchange.service import Service
from adapter.plugin.auth import OAuth1Auth
from adapter.plugin.errors import ConfigError
from adapter.security.outgoing.scheme import Surroundings
from adapter.store.transaction import Transaction

PATH = "/callback"
MOST_BYTES = 8192
READ_SECONDS = 10.0
_DONE = "You may close this window. / Vous pouvez fermer cette fenêtre."
_NOT_THIS = "There is nothing here. / Il n'y a rien ici."


@asynccontextmanager
async def consenting(service: Service, site: str) -> AsyncIterator[tuple[OAuth1Auth, Surroundings]]:
    """The settings and surroundings of a site that a person can authorize.

    Raises:
        ConfigError: its settings are not right, or its scheme is not oauth1. PluginError.
    """
    system = service.fleet.build(site)
    settings = getattr(system.config, "auth", None)
    if not isinstance(settings, OAuth1Auth):
        raise ConfigError(
            "auth.no-consent-needed",
            f"the site {site} needs nobody's consent: its authentication is not oauth1",
            fix=f"See [sites.{site}.settings.auth], and try it with: adapter sites check",
        )
    async with service.fleet.surroundings(site) as around:
        yield settings, around


def authorized(tx: Transaction, site: str, organization: str, now: datetime) -> None:
    """Say in the journal that a person let us in, and try at once what waited for it."""
    tx.journal.append(
        organization=organization,
        actor=operations.OPERATOR,
        site=site,
        kind="site.authorized",
        data={},
    )
    state = tx.sites.get(site)
    if state is None or state.state != "paused":
        operations.resume(tx, site, organization, now)


@dataclass(slots=True)
class Callback:
    """Where the peer sends the person's browser back to.

    Attributes:
        address: for the peer, for example ``http://127.0.0.1:40123/callback``.
    """

    address: str = ""
    _answer: asyncio.Future[tuple[str, str]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future(), repr=False
    )

    async def wait(self) -> tuple[str, str]:
        """`oauth_token` and `oauth_verifier`, once somebody comes with both."""
        return await self._answer

    async def attend(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            async with asyncio.timeout(READ_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answered(head))
            await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever it was may come again; nothing was taken
        finally:
            writer.close()

    def _answered(self, head: bytes) -> bytes:
        method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
        target = urlsplit(rest.partition(" ")[0])
        said = parse_qs(target.query)
        token, verifier = said.get("oauth_token", [""])[0], said.get("oauth_verifier", [""])[0]
        if method != "GET" or target.path != PATH or not token or not verifier:
            return _page("404 Not Found", _NOT_THIS)
        if not self._answer.done():
            self._answer.set_result((token, verifier))
        return _page("200 OK", _DONE)


@asynccontextmanager
async def callback(port: int = 0) -> AsyncIterator[Callback]:
    """Listen on loopback for the person's browser; 0 takes any free port.

    Raises:
        ConfigError: the port cannot be listened on.
    """
    back = Callback()
    try:
        server = await asyncio.start_server(back.attend, "127.0.0.1", port, limit=MOST_BYTES)
    except OSError as error:
        raise ConfigError(
            "config.cannot-listen",
            f"port {port} of loopback cannot be listened on: {error.strerror}",
            fix="Choose another port (0 takes any free one), or end what uses it.",
        ) from error
    async with server:
        back.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{PATH}"
        yield back


def _page(status: str, text: str) -> bytes:
    body = f"<!DOCTYPE html><meta charset=utf-8><p>{html.escape(text)}</p>".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\n"
        "Referrer-Policy: no-referrer\r\n"
        "Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
