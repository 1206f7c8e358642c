"""An MLLP server: connections that stay, messages in order, an answer when the handler is done.

One connection carries any number of messages; what is pipelined waits its turn, so that answers
stand in the order of the messages and nothing is read ahead of what is being handled. What cannot
be read as a frame is given to `refuse`, so that the sender hears of it. The server knows nothing of
HL7: it moves bytes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from adapter_hl7v2.framing import Deframer, Frame, frame

Handler = Callable[[bytes], Awaitable[bytes]]
FrameHandler = Callable[[Frame], Awaitable[bytes]]

_CHUNK = 256 * 1024
_STRAY = 64 * 1024


class Events(Protocol):
    """Where the server says what happens; a `Log` of the plugin API is one."""

    def info(self, event: str, **values: Any) -> Any: ...  # noqa: D102
    def warning(self, event: str, **values: Any) -> Any: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where and how to listen.

    Attributes:
        port: 0 means any free port.
        tls: a server context, or None for plain TCP.
        max_size: bytes of one frame.
        max_connections: more are closed at once.
        idle_timeout: seconds without a byte between frames until the connection is closed.
        frame_timeout: seconds from the first byte of a frame to its last, and for the peer to take
            an answer.
        grace: seconds that `stop` gives to what is in flight.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    max_size: int = 10 * 1024 * 1024
    max_connections: int = 200
    idle_timeout: float = 3600.0
    frame_timeout: float = 60.0
    grace: float = 8.0


@dataclass(slots=True, eq=False)
class _Connection:
    """One peer; `busy` while a message of it is in hand."""

    task: asyncio.Task[None]
    busy: bool = False


class MllpServer:
    """Listens, and hands each message to `handle`.

    Args:
        handle: takes a message, returns the answer without framing; empty bytes are no answer.
        refuse: takes a frame with a fault, returns the answer.
    """

    def __init__(
        self, handle: Handler, refuse: FrameHandler, listening: Listening, events: Events
    ) -> None:
        self._handle = handle
        self._refuse = refuse
        self._listening = listening
        self._events = events
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()
        self._stopping = False

    @property
    def connections(self) -> int:
        """How many peers are connected now."""
        return len(self._connections)

    async def start(self) -> str:
        """Listen; returns ``host:port``.

        Raises:
            OSError: the address cannot be had.
        """
        self._stopping = False
        self._server = await asyncio.start_server(
            self._serve,
            self._listening.host,
            self._listening.port,
            ssl=self._listening.tls,
            limit=_CHUNK,
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        """Take nothing more, finish what is in flight, close every connection."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        tasks = [connection.task for connection in self._connections]
        for connection in self._connections:
            if not connection.busy:
                connection.task.cancel()
        if tasks:
            _, unfinished = await asyncio.wait(tasks, timeout=self._listening.grace)
            for task in unfinished:
                task.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connection = _Connection(task)
        if self._stopping or len(self._connections) >= self._listening.max_connections:
            self._events.warning("mllp.too-many-connections", open=len(self._connections))
            writer.close()
            return
        self._connections.add(connection)
        try:
            await self._converse(connection, reader, writer)
        except (ConnectionError, ssl.SSLError) as error:
            self._events.info("mllp.connection-lost", reason=type(error).__name__)
        except TimeoutError:
            self._events.info("mllp.peer-does-not-read")
        except asyncio.CancelledError:  # stop() ends an idle connection; nothing waits for the task
            if not self._stopping:
                raise
        finally:
            self._connections.discard(connection)
            writer.close()

    async def _converse(
        self, connection: _Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        deframer = Deframer(self._listening.max_size)
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._listening.idle_timeout
        while not self._stopping:
            packet = await self._read(reader, deadline)
            if not packet:
                await self._answer_all(connection, writer, deframer.close())
                return
            was_pending = deframer.pending > 0
            frames = deframer.feed(packet)
            await self._answer_all(connection, writer, frames)
            if deframer.stray > _STRAY:
                self._events.warning("mllp.not-mllp", bytes=deframer.stray)
                return
            if not deframer.pending:
                deadline = clock() + self._listening.idle_timeout
            elif frames or not was_pending:
                deadline = clock() + self._listening.frame_timeout

    async def _read(self, reader: asyncio.StreamReader, deadline: float) -> bytes:
        """The next bytes; none at the end of the stream, or when the peer is silent too long."""
        try:
            async with asyncio.timeout_at(deadline):
                return await reader.read(_CHUNK)
        except TimeoutError:
            return b""

    async def _answer_all(
        self, connection: _Connection, writer: asyncio.StreamWriter, frames: list[Frame]
    ) -> None:
        for each in frames:
            connection.busy = True
            try:
                handled = self._refuse(each) if each.fault else self._handle(each.data)
                answer = await handled
                if answer:
                    writer.write(frame(answer))
                    async with asyncio.timeout(self._listening.frame_timeout):
                        await writer.drain()
            finally:
                connection.busy = False
            if self._stopping:
                return
