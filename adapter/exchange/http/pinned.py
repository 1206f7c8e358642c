"""Connections to the address that was checked: the second half of the guard.

A name is looked up once for each connection. If any address of the answer may not be reached, none
is; else the connection goes to an address of that same answer, so that a second, different answer
(DNS rebinding) is never asked for. TLS still names and checks the host.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address

import httpcore

from adapter.exchange.http.addresses import Address, AddressRules
from adapter.exchange.http.guard import UrlRefused, literal

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
SocketOptions = Iterable[tuple[int, int, int] | tuple[int, int, bytes | bytearray]] | None
MAX_ADDRESSES = 8


class PinnedBackend(httpcore.AsyncNetworkBackend):
    """Opens the sockets of a connection pool."""

    def __init__(
        self,
        rules: AddressRules,
        *,
        resolve: Resolve | None = None,
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._rules = rules
        self._resolve = resolve or resolve_by_system
        self._inner = inner or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        local_address: str | None = None,
        socket_options: SocketOptions = None,  # type: ignore[override]
    ) -> httpcore.AsyncNetworkStream:
        """Look up, check, connect.

        Raises:
            UrlRefused: an address of this host may not be reached; nothing was opened.
            httpcore.ConnectError, httpcore.ConnectTimeout: it cannot be reached.
        """
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(host, port, local_address, socket_options)
        except TimeoutError:
            raise httpcore.ConnectTimeout("the time to connect is over") from None

    async def _connect(
        self, host: str, port: int, local_address: str | None, socket_options: SocketOptions
    ) -> httpcore.AsyncNetworkStream:
        last: Exception = httpcore.ConnectError("the host has no address")
        for address in await self._checked(host, port):
            try:
                return await self._inner.connect_tcp(
                    str(address),
                    port,
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    async def _checked(self, host: str, port: int) -> Sequence[Address]:
        address = literal(host)
        answer = [address] if address is not None else await self._resolve(host, port)
        for each in answer:
            refusal = self._rules.refusal(each)
            if refusal:
                raise UrlRefused(f"it leads to a {refusal} address", host=host)
        return answer[:MAX_ADDRESSES]

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is httpcore's
        socket_options: SocketOptions = None,  # type: ignore[override]
    ) -> httpcore.AsyncNetworkStream:
        """Refused: no peer is a file of this machine."""
        raise UrlRefused("a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


async def resolve_by_system(host: str, port: int) -> Sequence[Address]:
    """The addresses of a host, as this machine knows them.

    Raises:
        httpcore.ConnectError: it has none.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpcore.ConnectError("the host name is not known") from None
    return list(dict.fromkeys(ip_address(sockaddr[0]) for *_, sockaddr in found))
