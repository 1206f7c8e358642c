"""The road out: an httpx transport over one connection pool whose sockets the guard opens.

No proxy and no environment variable is followed: either would let somebody else choose where a
connection goes.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterable, AsyncIterator

import httpcore
import httpx

from adapter.exchange.http.pinned import PinnedBackend

KEEPALIVE_SECONDS = 30.0


class TlsFault(httpx.ConnectError):
    """The peer's certificate, or its TLS, was not accepted; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class GuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests through connections to checked addresses only."""

    def __init__(
        self, backend: PinnedBackend, *, tls: ssl.SSLContext, max_connections: int
    ) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=KEEPALIVE_SECONDS,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the body of the answer is not read yet.

        Raises:
            UrlRefused: the host leads to an address that may not be reached.
            httpx.TransportError: as httpx says.
        """
        assert isinstance(request.stream, httpx.AsyncByteStream)
        sent = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = await self._pool.handle_async_request(sent)
        except _LOST as error:
            raise _same(error) from None
        assert isinstance(answer.stream, AsyncIterable)
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    """The body as it comes in, with httpx's errors."""

    def __init__(self, stream: AsyncIterable[bytes]) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                yield part
        except _LOST as error:
            raise _same(error) from None

    async def aclose(self) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


# The most special first: the first that fits names the error.
_SAME: dict[type[Exception], type[httpx.TransportError]] = {
    httpcore.ConnectTimeout: httpx.ConnectTimeout,
    httpcore.ReadTimeout: httpx.ReadTimeout,
    httpcore.WriteTimeout: httpx.WriteTimeout,
    httpcore.PoolTimeout: httpx.PoolTimeout,
    httpcore.TimeoutException: httpx.TimeoutException,
    httpcore.ConnectError: httpx.ConnectError,
    httpcore.ReadError: httpx.ReadError,
    httpcore.WriteError: httpx.WriteError,
    httpcore.NetworkError: httpx.NetworkError,
    httpcore.UnsupportedProtocol: httpx.UnsupportedProtocol,
    httpcore.LocalProtocolError: httpx.LocalProtocolError,
    httpcore.RemoteProtocolError: httpx.RemoteProtocolError,
    httpcore.ProtocolError: httpx.ProtocolError,
}


# OSError: what a socket or TLS says while reading, which httpcore does not always translate.
_LOST: tuple[type[Exception], ...] = (*_SAME, OSError)


def _same(error: Exception) -> httpx.TransportError:
    """The same error in httpx's words; its text may repeat a header, so it is left out."""
    cause = error.__cause__ or error.__context__
    for each in (error, cause):
        if isinstance(each, ssl.SSLCertVerificationError):
            return TlsFault(each.verify_message)
    if isinstance(error, httpcore.ConnectError) and isinstance(cause, ssl.SSLError):
        return TlsFault(str(cause.reason or "no agreement on TLS"))
    if isinstance(error, ssl.SSLError) and "ALERT" in str(error.reason):
        # TLS 1.3: the peer refuses our certificate, or its absence, only after the handshake.
        return TlsFault(str(error.reason))
    kinds = (ours for theirs, ours in _SAME.items() if isinstance(error, theirs))
    kind = next(kinds, httpx.ReadError)
    return kind(kind.__name__)
