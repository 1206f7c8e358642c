"""An HL7 v2 peer over MLLP (HL7 v2 transport specification, release 1), both ways."""

from __future__ import annotations

import asyncio
import socket
import ssl

from adapter.plugin import HttpEndpoint
from adapter_conformance.exchanges import hear_message
from adapter_conformance.peers import Answer
from adapter_conformance.peers.loopback import LoopbackPeer
from adapter_conformance.planted import PEER_TEXT

START, END = b"\x0b", b"\x1c\r"
PATIENCE = 3.0


class MllpPeer(LoopbackPeer):
    """It knows a message again by its control id (MSH-10)."""

    faults = frozenset({"unavailable", "refused", "lost-answer", "nonsense", "down"})
    server_tls: ssl.SSLContext | None = None
    client_tls: ssl.SSLContext | None = None

    def __init__(self) -> None:
        super().__init__()
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, listening: socket.socket) -> asyncio.Server:
        """Take frames, answer each."""
        return await asyncio.start_server(self._talk, sock=listening, ssl=self.server_tls)

    def hang_up(self) -> None:
        """Close every open connection."""
        for writer in self._writers:
            writer.close()

    async def stop(self) -> None:
        """Listen no more, and hang up."""
        await super().stop()
        self.hang_up()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while True:
                frame = await reader.readuntil(END)
                message = frame.removeprefix(START).removesuffix(END)
                reply = self._reply(message)
                hear_message("MLLP", message, reply)
                if reply is None:
                    return
                writer.write(START + reply + END)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    def _reply(self, raw: bytes) -> bytes | None:
        header = raw.split(b"\r", 1)[0].split(b"|")
        key = header[9].decode("ascii", "replace") if len(header) > 9 else ""
        if self.fault == "nonsense":
            return PEER_TEXT.encode()
        if self.fault == "unavailable":
            return _acknowledge(key, "AR", "207")
        if self.fault == "refused":
            return _acknowledge(key, "AE", "101")
        self.take(key, raw)
        return None if self.fault == "lost-answer" else _acknowledge(key, "AA", "")

    async def send(self, endpoint: HttpEndpoint | str, path: str, raw: bytes) -> Answer:
        """Send one message and wait for its acknowledgement."""
        if not isinstance(endpoint, str):
            return await super().send(endpoint, path, raw)
        host, _, port = endpoint.rpartition(":")
        reader, writer = await asyncio.open_connection(
            host.strip("[]"), int(port), ssl=self.client_tls
        )
        try:
            writer.write(START + raw.replace(b"\n", b"\r") + END)
            frame = await asyncio.wait_for(reader.readuntil(END), PATIENCE)
        finally:
            writer.close()
        reply = frame.removeprefix(START).removesuffix(END)
        hear_message("MLLP", raw, reply)
        said = next((each for each in reply.split(b"\r") if each.startswith(b"MSA|")), b"MSA|")
        return Answer(said.split(b"|")[1] in (b"AA", b"CA"), reply)


def _acknowledge(key: str, code: str, condition: str) -> bytes:
    lines = [
        "MSH|^~\\&|PEER|KIT|ADAPTER|KIT|20260115120000||ACK|KIT-1|T|2.5.1",
        f"MSA|{code}|{key}|{PEER_TEXT if condition else ''}",
    ]
    if condition:
        lines.append(f"ERR|||{condition}|E||||{PEER_TEXT}")
    return ("\r".join(lines) + "\r").encode()
