"""Peers that misbehave as they are told: an HTTP API, an MLLP listener, a mail server.

Each is idempotent by the id that the adapter sends (Idempotency-Key, MSH-10, Message-ID): what it
keeps, it keeps once. `mode` says how it answers from now on; ``well`` is the only good answer.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from email import message_from_bytes, policy

import hl7

from tests.integration.loop.ports import lasting_port

_START, _END = b"\x0b", b"\x1c\r"


class Peer:
    """One listener, and what it keeps."""

    def __init__(self) -> None:
        self.mode = "well"
        self.kept: set[str] = set()
        self.asked = 0
        self.port = lasting_port()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on loopback."""
        self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port, ssl=tls)

    async def close(self) -> None:
        """Stop listening and hang up; the same port is taken again by `open`."""
        if self._server is not None:
            self._server.close()
        for writer in self._open:
            writer.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            await self.talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, ValueError, asyncio.CancelledError):
            pass  # whoever was at the other end is gone
        finally:
            self._open.discard(writer)
            writer.close()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One conversation."""
        raise AssertionError("each peer has its own")

    def reset(self, writer: asyncio.StreamWriter) -> None:
        """End the connection with RST."""
        sock = writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER
        writer.transport.abort()


class HttpPeer(Peer):
    """POST keeps a message under its Idempotency-Key; GET finds it. Modes: a status, or a word."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests on one connection, one after the other."""
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
            await reader.readexactly(int(fields.get("content-length", "0")))
            self.asked += 1
            await self._answer(writer, lines[0].split(" ")[0], fields)

    async def _answer(
        self, writer: asyncio.StreamWriter, method: str, fields: dict[str, str]
    ) -> None:
        mode = self.mode
        if mode == "reset":
            self.reset(writer)
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


class MllpPeer(Peer):
    """Takes HL7 v2. Modes: ``well``, ``AE``, ``AR-207``, ``silent``, ``reset``, ``cut``."""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Messages on one connection, one after the other."""
        while frame := await reader.readuntil(_END):
            message = hl7.parse(frame.strip(_START + _END).decode())
            control = str(message.segment("MSH")[10])
            self.asked += 1
            mode = self.mode
            if mode == "reset":
                self.reset(writer)
                return
            if mode == "silent":
                await asyncio.sleep(30)
            code, error = "AA", ""
            if mode == "AE":
                code, error = "AE", "\rERR||PID^1^3|101^Required field missing^HL70357|E"
            elif mode == "AR-207":
                code, error = "AR", "\rERR||MSH^1|207^Application internal error^HL70357|E"
            else:
                self.kept.add(control)
            answer = (f"MSH|^~\\&|P|P|A|A|20260302||ACK|{self.asked}|T|2.5.1\r"
                      f"MSA|{code}|{control}{error}\r").encode()  # fmt: skip
            whole = _START + answer + _END
            writer.write(whole[: len(whole) // 2] if mode == "cut" else whole)
            await writer.drain()
            if mode == "cut":
                return


class MailPeer(Peer):
    """A mail server. Modes: ``well``, or the reply to a command: ``RCPT 550``, ``DATA 451``, …"""

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One session, by RFC 5321."""
        await self._say(writer, "220 peer.example")
        while line := await reader.readline():
            word = line[:4].upper().decode().strip()
            self.asked += word == "MAIL"
            if self.mode.startswith(f"{word} "):
                code = self.mode.split(" ")[1]
                if code == "reset":
                    self.reset(writer)
                    return
                await self._say(writer, f"{code} as told")
                continue
            if word == "DATA":
                await self._say(writer, "354 go on")
                self._keep(await reader.readuntil(b"\r\n.\r\n"))
            await self._say(writer, "221 bye" if word == "QUIT" else "250 fine")
            if word == "QUIT":
                return

    def _keep(self, data: bytes) -> None:
        self.kept.add(str(message_from_bytes(data, policy=policy.default)["Message-ID"]))

    async def _say(self, writer: asyncio.StreamWriter, text: str) -> None:
        writer.write(f"{text}\r\n".encode())
        await writer.drain()
