"""An MLLP server: connections that stay, messages in order, an answer when the handler is done.

One connection carries any number of messages; what is pipelined waits its turn, so that answers
stand in the order of the messages. What cannot be read as a frame is given to `refuse`, so that the
sender hears of it. The server knows nothing of HL7: it moves bytes.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from adapter_hl7v2.framing import Deframer, Frame, frame

Handler = Callable[[bytes], Awaitable[bytes]]
FrameHandler = Callable[[Frame], Awaitable[bytes]]

_PIPELINE = 64  # messages that may wait; then the peer is not read until they are fewer
_STRAY = 64 * 1024  # bytes outside frames, after which this is no MLLP


class Events(Protocol):
    """Where the server says what happens; a `Log` of the plugin API is one."""

    def info(self, event: str, **values: Any) -> Any: ...  # noqa: D102
    def warning(self, event: str, **values: Any) -> Any: ...  # noqa: D102
    def error(self, event: str, **values: Any) -> Any: ...  # noqa: D102


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


class MllpServer:
    """Listens, and hands each message to `handle`.

    Args:
        handle: takes a message, returns the answer without framing; empty bytes are no answer.
        refuse: takes a frame with a fault, returns the answer.
    """

    def __init__(
        self, handle: Handler, refuse: FrameHandler, listening: Listening, events: Events
    ) -> None:
        self.handle = handle
        self.refuse = refuse
        self.listening = listening
        self.events = events
        self.peers: set[_Peer] = set()
        self.workers: set[asyncio.Task[None]] = set()
        self.stopping = False
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many peers are connected now."""
        return len(self.peers)

    async def start(self) -> str:
        """Listen; returns ``host:port``.

        Raises:
            OSError: the address cannot be had.
        """
        self.stopping = False
        self._server = await asyncio.get_running_loop().create_server(
            lambda: _Peer(self),
            self.listening.host,
            self.listening.port,
            ssl=self.listening.tls,
        )
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def stop(self) -> None:
        """Take nothing more, finish what is in flight, close every connection."""
        self.stopping = True
        if self._server is not None:
            self._server.close()
        working = set(self.workers)
        for peer in list(self.peers):
            peer.finish()
        if working:
            _, unfinished = await asyncio.wait(working, timeout=self.listening.grace)
            for worker in unfinished:
                worker.cancel()
            await asyncio.gather(*unfinished, return_exceptions=True)
        for peer in list(self.peers):
            peer.abort()


class _Peer(asyncio.Protocol):
    """One connection: frames that wait, and the task that answers them one by one."""

    def __init__(self, server: MllpServer) -> None:
        self.worker: asyncio.Task[None] | None = None
        self._server = server
        self._deframer = Deframer(server.listening.max_size)
        self._waiting: deque[Frame] = deque()
        self._loop = asyncio.get_running_loop()
        self._writable = asyncio.Event()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._paused = False
        self._ended = False  # nothing more will be read

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        server = self._server
        if server.stopping or len(server.peers) >= server.listening.max_connections:
            server.events.warning("mllp.too-many-connections", open=len(server.peers))
            transport.abort()
            return
        self._transport = transport
        self._writable.set()
        server.peers.add(self)
        self._extend(server.listening.idle_timeout)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._server.events.info("mllp.connection-lost", reason=type(exc).__name__)
        self._server.peers.discard(self)
        self._transport = None
        self._ended = True
        self._writable.set()
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._ended or self._server.stopping:
            return
        began = self._deframer.pending > 0
        frames = self._deframer.feed(data)
        if frames:
            self._take(frames)
        if not self._deframer.pending:
            self._extend(self._server.listening.idle_timeout)
        elif frames or not began:
            self._extend(self._server.listening.frame_timeout)
            self._watch()
        if self._deframer.stray > _STRAY:
            self._server.events.warning("mllp.not-mllp", bytes=self._deframer.stray)
            self._end()

    def eof_received(self) -> bool | None:
        self._end()
        # A peer that is done sending may still read; over TLS it cannot.
        return self._transport is not None and self._server.listening.tls is None

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def finish(self) -> None:
        """Close when the message in hand is answered; at once if there is none."""
        if self.worker is None and self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        # A TLS transport of CPython 3.11 that was closed twice shuts down by itself, and has
        # forgotten what it would be aborted by.
        with suppress(AttributeError):
            if self._transport is not None:
                self._transport.abort()

    def _end(self) -> None:
        """Read no more; answer what came, then close."""
        if not self._ended:
            self._ended = True
            self._take(self._deframer.close())
        self.finish()

    def _take(self, frames: list[Frame]) -> None:
        self._waiting.extend(frames)
        if self._waiting and self.worker is None:
            self.worker = self._loop.create_task(self._work())
            self._server.workers.add(self.worker)
            self.worker.add_done_callback(self._server.workers.discard)
        if len(self._waiting) > _PIPELINE and self._transport is not None and not self._paused:
            self._transport.pause_reading()
            self._paused = True

    async def _work(self) -> None:
        try:
            while self._waiting:
                each = self._waiting.popleft()
                server = self._server
                answer = await (server.refuse(each) if each.fault else server.handle(each.data))
                if answer:
                    await self._write(frame(answer))
                if server.stopping:
                    break
                if self._paused and len(self._waiting) <= _PIPELINE // 2:
                    self._resume()
        except TimeoutError:
            self._server.events.info("mllp.peer-does-not-read")
            self.abort()
        except Exception as error:  # noqa: BLE001 - one connection's fault must not cost the others
            self._server.events.error("mllp.handler-failed", error=type(error).__name__)
            self.abort()
        finally:
            self.worker = None
            if self._ended or self._server.stopping:
                self.finish()

    async def _write(self, answer: bytes) -> None:
        """Write unless the peer left; wait while it does not take what was written."""
        if self._transport is None:
            return
        self._transport.write(answer)
        if not self._writable.is_set():
            async with asyncio.timeout(self._server.listening.frame_timeout):
                await self._writable.wait()

    def _resume(self) -> None:
        self._paused = False
        if self._transport is not None and not self._ended:
            self._transport.resume_reading()

    def _extend(self, seconds: float) -> None:
        self._deadline = self._loop.time() + seconds

    def _watch(self) -> None:
        """See to the deadline when it comes; it may have moved by then."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._late)

    def _late(self) -> None:
        if self._loop.time() < self._deadline:
            self._watch()
        elif self.worker is not None and not self._deframer.pending:
            self._extend(self._server.listening.idle_timeout)
            self._watch()
        else:
            self._server.events.info("mllp.peer-silent", pending=self._deframer.pending)
            self._end()
