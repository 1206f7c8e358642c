"""Peers that misbehave as they are told: an HTTP API, and the kit's MLLP system and mail server.

Each is idempotent by the id that the adapter sends (Idempotency-Key, MSH-10, Message-ID): what it
keeps, it keeps once. They live in the test's process, so that no kill of a service takes from them.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Protocol

from adapter_conformance.fakes.mail_server import MailServer
from adapter_conformance.fakes.mllp_server import MllpServer, control_id
from tests.integration.loop.ports import lasting_port


class Peer(Protocol):
    """One listener, and what it keeps. `mode` says how it answers; ``well`` is the good way."""

    mode: str
    port: int

    @property
    def kept(self) -> set[str]:
        """The ids of what it took."""

    async def open(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on loopback."""

    async def close(self) -> None:
        """Stop listening and hang up; the same port is taken again by `open`."""


class HttpPeer:
    """POST keeps a message under its Idempotency-Key; GET finds it. Modes: a status, or a word."""

    def __init__(self) -> None:
        self.mode = "well"
        self.kept: set[str] = set()
        self.port = lasting_port()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on loopback."""
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port, ssl=tls)

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
            pass  # whoever was at the other end is gone
        finally:
            self._open.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests on one connection, one after the other."""
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            await reader.readexactly(int(fields.get("content-length", "0")))
            await self._answer(writer, lines[0].split(" ")[0], fields)

    async def _answer(
        self, writer: asyncio.StreamWriter, method: str, fields: dict[str, str]
    ) -> None:
        mode = self.mode
        if mode == "reset":
            _reset(writer)
            raise ConnectionResetError
        if mode == "slow":
            writer.write(b"HTTP/1.1 200 OK\r\n")
            await asyncio.sleep(30)
        status, extra, body = 200, "", b'{"items": []}'
        if mode == "error-in-200":
            body = (b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error",'
                    b' "code": "exception"}]}')  # fmt: skip
        elif mode.isdigit():
            status, body = int(mode), b"{}"
            extra = {"429": "Retry-After: 60\r\n", "301": "Location: /other\r\n"}.get(mode, "")
        elif method == "POST":
            self.kept.add(fields["idempotency-key"])
            body = b'{"id": "synthetic"}'
        writer.write(
            f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        await writer.drain()


class KitPeer:
    """A fake of the plugin kit, on a port that it comes back to. Modes are its faults by name."""

    def __init__(self, fake: MllpServer | MailServer, id_of: Callable[[bytes], str]) -> None:
        self.port = lasting_port()
        self._server: asyncio.Server | None = None
        self._fake = fake
        self._id_of = id_of

    @property
    def mode(self) -> str:
        """How it answers from now on."""
        return self._fake.faults.always or "well"

    @mode.setter
    def mode(self, name: str) -> None:
        self._fake.faults.always = None if name == "well" else name
        self._fake.hang_up()  # a connection that was there before would still be well

    @property
    def kept(self) -> set[str]:
        """What the fake took, each message once."""
        return {self._id_of(each) for each in self._taken}

    async def open(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on loopback."""
        self._server = await self._fake.serve(socket.create_server(("127.0.0.1", self.port)))

    async def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
        self._fake.hang_up()

    @property
    def _taken(self) -> list[bytes]:
        return self._fake.raw if isinstance(self._fake, MailServer) else self._fake.messages


def mllp_peer() -> Peer:
    """Takes HL7 v2; knows a message by MSH-10."""
    return KitPeer(MllpServer(), control_id)


def mail_peer() -> Peer:
    """Takes mail; knows a letter by its Message-ID."""
    return KitPeer(MailServer(), _letter_id)


def _letter_id(letter: bytes) -> str:
    return str(message_from_bytes(letter, policy=policy.default)["Message-ID"])


def _reset(writer: asyncio.StreamWriter) -> None:
    """End the connection with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
