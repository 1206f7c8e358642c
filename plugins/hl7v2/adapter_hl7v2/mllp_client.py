"""An MLLP client: one connection that stays, one message at a time, its answer back.

A connection that was idle may have been closed by the peer; that is seen before writing, and a new
one is made. Once a byte of the message has left, a failure means that nobody knows whether it
arrived: the error says so, and the caller sends the same message again with the same control id.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from adapter.plugin import AuthError, SystemFault, TransientError
from adapter_hl7v2.framing import Deframer, frame

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where to send, and how long to wait, in seconds."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    server_name: str | None = None
    connect_timeout: float = 10.0
    reply_timeout: float = 30.0
    max_reply: int = 10 * 1024 * 1024


class MllpClient:
    """Sends to one destination. Safe to use from several tasks: they take turns."""

    def __init__(self, destination: Destination) -> None:
        self._to = destination
        self._turn = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, message: bytes) -> bytes:
        """Send one message and return the reply, both without framing.

        Raises:
            TransientError: ``hl7v2.peer-unreachable``, ``hl7v2.peer-closed``, ``hl7v2.no-reply``.
            AuthError: ``hl7v2.tls-refused``.
            SystemFault: ``hl7v2.reply-unreadable``, the reply is no MLLP frame.
        """
        async with self._turn:
            reader, writer = await self._connection()
            done = False
            try:
                async with asyncio.timeout(self._to.reply_timeout):
                    writer.write(frame(message))
                    await writer.drain()
                    reply = await self._reply(reader)
                done = True
                return reply
            except TimeoutError as error:
                raise TransientError(
                    "hl7v2.no-reply",
                    f"no acknowledgement within {self._to.reply_timeout:g} s",
                    fix="the peer may be overloaded, or never acknowledges: ask who runs it",
                ) from error
            except OSError as error:
                raise _closed() from error
            finally:
                if not done:
                    self._drop()

    async def probe(self) -> None:
        """Connect, as `send` would, and let go if nothing was open before.

        Raises:
            TransientError, AuthError: as `send`.
        """
        async with self._turn:
            before = self._streams
            await self._connection()
            if before is None:
                self._drop()

    async def close(self) -> None:
        """Close the connection, when what is being sent is done."""
        async with self._turn:
            self._drop()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None:
            reader, writer = self._streams
            if not (reader.at_eof() or writer.is_closing() or reader.exception()):
                return self._streams
            self._drop()
        self._streams = await self._connect()
        return self._streams

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        to = self._to
        try:
            async with asyncio.timeout(to.connect_timeout):
                return await asyncio.open_connection(
                    to.host,
                    to.port,
                    ssl=to.tls,
                    server_hostname=(to.server_name or to.host) if to.tls else None,
                    limit=_CHUNK,
                )
        except ssl.SSLError as error:
            raise AuthError(
                "hl7v2.tls-refused",
                "the TLS connection to the peer was refused",
                fix="compare the certificates of both sides, their names and their dates",
                detail=error.reason or "",
            ) from error
        except (OSError, TimeoutError) as error:
            raise TransientError(
                "hl7v2.peer-unreachable",
                f"nothing answers at {to.host}:{to.port}",
                fix="see whether the peer's listener runs, and whether a firewall is in between",
                detail=type(error).__name__,
            ) from error

    async def _reply(self, reader: asyncio.StreamReader) -> bytes:
        deframer = Deframer(self._to.max_reply)
        while True:
            packet = await reader.read(_CHUNK)
            frames = deframer.feed(packet) if packet else deframer.close()
            if frames and frames[0].fault is None:
                return frames[0].data
            if frames or deframer.stray > self._to.max_reply:
                raise SystemFault(
                    "hl7v2.reply-unreadable",
                    "the reply is not one MLLP frame",
                    fix="ask who runs the peer whether it speaks MLLP on this port",
                )
            if not packet:
                raise _closed()

    def _drop(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _closed() -> TransientError:
    return TransientError(
        "hl7v2.peer-closed",
        "the peer closed the connection before it acknowledged",
        fix="the message will be sent again with the same control id",
    )
