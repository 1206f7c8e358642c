"""A fake HL7 v2 system over MLLP (HL7 v2 transport specification, release 1), on loopback.

::

    async with MllpServer() as emr:
        emr.fail_next("rejected", "cut-off")   # the next two connections; or emr.faults.always
        ...                                # send to 127.0.0.1, emr.port
        assert emr.messages == [raw]

`send` is the other way: it brings one message to a listener and gives what came back.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable

from adapter_conformance.fakes.on_socket import Closable, OnSocket

START, END = b"\x0b", b"\x1c\r"
FAULTS = {
    "hang-up": "it closes the connection before it reads anything",
    "rejected": "it answers AR with error 207: it cannot take it now; not kept",
    "refused": "it answers AE with error 101: a required field is missing; not kept",
    "lost-answer": "it keeps the message and closes instead of answering",
    "cut-off": "it keeps the message, and closes in the middle of its answer",
    "silent": "it keeps the message and never answers; the connection stays open",
    "slow": "it keeps the message and answers after `slow_seconds`",
    "split": "it keeps the message and answers one byte at a time",
    "nonsense": "it answers with a frame that holds no HL7; not kept",
    "unframed": "it answers like a web server, outside of any frame; not kept",
    "other-message": "it keeps the message and answers AA for another control id",
}
MOST = 16 * 1024 * 1024
"""Bytes of one frame that it reads."""
PATIENCE = 3.0
TEXT = "SECRET-TEXT of Synthetic Person"


class MllpServer(OnSocket):
    """It answers AA to every message, in original mode, and many messages on one connection.

    Attributes:
        faults: what it does wrong; names are in `FAULTS`.
        port: where it listens on 127.0.0.1.
        messages: what it took, without frames, repetitions included.
        connections: how many came.
        slow_seconds: how long the fault ``slow`` takes.
        text: what it says in an answer that is no AA; nobody may repeat it.
        heard: is told each message and its answer (None: there was none).
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, text: str = TEXT) -> None:
        super().__init__(FAULTS)
        self.messages: list[bytes] = []
        self.connections = 0
        self.slow_seconds = 1.0
        self.text = text
        self.heard: Callable[[bytes, bytes | None], None] = lambda message, answer: None
        self.tls = tls
        self._writers: set[asyncio.StreamWriter] = set()

    async def listen(self, listening: socket.socket) -> Closable:
        """Take connections from a socket."""
        return await asyncio.start_server(self._talk, sock=listening, ssl=self.tls, limit=MOST)

    def hang_up(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        own = self.faults.taken()
        try:
            while (own or self.faults.always) != "hang-up":
                frame = await reader.readuntil(END)
                message = frame.removeprefix(START).removesuffix(END)
                fault, own = own or self.faults.always, None
                answer = self._answer(message, fault)
                self.heard(message, answer)
                if not await self._said(writer, answer, fault):
                    return
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, message: bytes, fault: str | None) -> bytes | None:
        key = control_id(message)
        if fault == "rejected":
            return acknowledgement("AR", key, "207", self.text)
        if fault == "refused":
            return acknowledgement("AE", key, "101", self.text)
        if fault in ("nonsense", "unframed"):
            return self.text.encode()
        self.messages.append(message)
        if fault in ("lost-answer", "silent"):
            return None
        return acknowledgement("AA", f"not-{key}" if fault == "other-message" else key)

    async def _said(
        self, writer: asyncio.StreamWriter, answer: bytes | None, fault: str | None
    ) -> bool:
        """Whether the connection goes on."""
        if answer is None:
            if fault == "silent":
                await asyncio.Event().wait()
            return False
        whole = START + answer + END
        if fault == "unframed":
            whole = b"HTTP/1.1 400 Bad Request\r\n\r\n" + answer
        elif fault == "cut-off":
            whole = whole[: len(whole) // 2]
        elif fault == "slow":
            await asyncio.sleep(self.slow_seconds)
        pieces = [whole[n : n + 1] for n in range(len(whole))] if fault == "split" else [whole]
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        return fault not in ("cut-off", "unframed")


async def send(
    host: str,
    port: int,
    message: bytes,
    *,
    tls: ssl.SSLContext | None = None,
    patience: float = PATIENCE,
) -> bytes:
    """Send one message to a listener, as an EMR does; its answer, without the frame.

    Raises:
        TimeoutError: no answer came in `patience` seconds. ConnectionError, IncompleteReadError:
            it hung up.
    """
    reader, writer = await asyncio.open_connection(host, port, ssl=tls, limit=MOST)
    try:
        writer.write(START + message.replace(b"\n", b"\r") + END)
        frame = await asyncio.wait_for(reader.readuntil(END), patience)
    finally:
        writer.close()
    return frame.removeprefix(START).removesuffix(END)


def control_id(message: bytes) -> str:
    """MSH-10; empty if there is none."""
    fields = message.split(b"\r", 1)[0].split(b"|")
    return fields[9].decode("ascii", "replace") if len(fields) > 9 else ""


def acknowledgement(code: str, key: str, condition: str = "", text: str = "") -> bytes:
    """An ACK (HL7 v2.5.1, 2.9.2): MSA-1 `code` for the control id `key`; ERR-3 `condition`."""
    lines = [
        "MSH|^~\\&|PEER|KIT|ADAPTER|KIT|20260115120000||ACK|KIT-1|T|2.5.1",
        f"MSA|{code}|{key}|{text}",
    ]
    if condition:
        lines.append(f"ERR|||{condition}|E||||{text}")
    return ("\r".join(lines) + "\r").encode()
