"""Bodies with a limit: what a peer sends is counted, and unpacked no further than the limit.

The transport below asks for gzip and unpacks it here, piece by piece, because a library that
unpacks first and counts later has already lost the memory to a bomb.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Iterator

import httpx

from adapter.plugin.errors import SystemFault

MAX_BYTES = "max_bytes"  # the request extension that holds the limit
DEFAULT_MAX = 16 * 1024 * 1024
_PIECE = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class BodyTooLarge(SystemFault):
    """The answer is larger than this site allows."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            "http.body-too-large",
            f"the answer is larger than {limit} bytes",
            fix="Ask for less at a time, or raise max_response_bytes in "
            "[sites.NAME.settings.http].",
        )


class BodyUnreadable(SystemFault):
    """The answer is packed in a way that it did not say, or that we did not ask for."""

    def __init__(self) -> None:
        super().__init__("http.body-unreadable", "the answer cannot be unpacked")


class CappedTransport(httpx.AsyncBaseTransport):
    """Any transport, with bodies that are unpacked and end at their limit."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and give an answer that is no longer packed."""
        limit = int(request.extensions.get(MAX_BYTES, DEFAULT_MAX))
        request.headers["Accept-Encoding"] = "gzip"
        answer = await self._inner.handle_async_request(request)
        assert isinstance(answer.stream, httpx.AsyncByteStream)
        headers = httpx.Headers(answer.headers)
        declared = headers.get("Content-Length", "")
        packing = headers.get("Content-Encoding", "identity").strip().lower() or "identity"
        if request.method == "HEAD":
            packing = "identity"
        elif declared.isdecimal() and (len(declared) > 15 or int(declared) > limit):
            await answer.aclose()
            raise BodyTooLarge(limit)
        if packing != "identity":
            if packing != "gzip":
                await answer.aclose()
                raise BodyUnreadable
            del headers["Content-Encoding"]
            headers.pop("Content-Length", None)
        return httpx.Response(
            answer.status_code,
            headers=headers,
            stream=_CappedBody(answer.stream, packing == "gzip", limit),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._inner.aclose()


class _CappedBody(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, packed: bool, limit: int) -> None:
        self._stream = stream
        self._packed = packed
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        machine = zlib.decompressobj(_GZIP) if self._packed else None
        raw = size = 0
        async for part in self._stream:
            raw += len(part)
            if raw > self._limit:
                raise BodyTooLarge(self._limit)
            for piece in _pieces(machine, part) if machine else (part,):
                size += len(piece)
                if size > self._limit:
                    raise BodyTooLarge(self._limit)
                yield piece
        if machine and raw and not machine.eof:
            raise httpx.RemoteProtocolError("RemoteProtocolError")

    async def aclose(self) -> None:
        await self._stream.aclose()


def _pieces(machine: zlib._Decompress, part: bytes) -> Iterator[bytes]:
    """What `part` unpacks to, never more than a piece at a time."""
    rest = part
    while True:
        if machine.eof:
            if rest or machine.unused_data:
                raise BodyUnreadable
            return
        try:
            piece = machine.decompress(rest, _PIECE)
        except zlib.error:
            raise BodyUnreadable from None
        rest = machine.unconsumed_tail
        if piece:
            yield piece
        if not rest and len(piece) < _PIECE and not machine.eof:
            return
