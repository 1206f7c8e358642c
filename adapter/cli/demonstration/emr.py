"""A small EMR, in a process of its own: it sends referrals over MLLP and takes the answers.

It plays an outside party, so it shares no code with the adapter: framing, acknowledgements and
field access are its own and as plain as they can be (HL7 v2 Transport Specification: MLLP, release
1: 0x0B, message, 0x1C 0x0D).

The demonstration talks to it in JSON lines. On stdin: ``{"send": "host:port", "message": "MSH|…"}``
for each message to send. On stdout: ``listening`` with the port for answers, ``acknowledged`` for
each message sent, ``received`` for each that came in, ``failed`` with the reason.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any

START, END = b"\x0b", b"\x1c\x0d"
PATIENCE = 15.0


def say(event: str, **facts: Any) -> None:
    """One line for the demonstration."""
    print(json.dumps({"event": event, **facts}), flush=True)


def field(message: str, segment: str, number: int) -> str:
    """One field of the first segment of this name; MSH counts its separator as MSH-1."""
    for line in message.split("\r"):
        if line.startswith(segment):
            parts = line.split("|")
            index = number - 1 if segment == "MSH" else number
            return parts[index] if index < len(parts) else ""
    return ""


def acknowledgement(message: str) -> bytes:
    """The commit answer to a message: MSA-1 AA with its control id."""
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S%z")
    control = field(message, "MSH", 10)
    mode = field(message, "MSH", 11) or "T"
    version = field(message, "MSH", 12) or "2.5.1"
    header = f"MSH|^~\\&|SYNTHETIC-EMR||||{now}||ACK|A-{control}|{mode}|{version}"
    return f"{header}\rMSA|AA|{control}\r".encode()


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The next message of a connection, or None when the peer closed it."""
    try:
        frame = await reader.readuntil(END)
    except asyncio.IncompleteReadError:
        return None
    return frame[frame.rindex(START) + 1 : -len(END)]


async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take messages from one connection and acknowledge each."""
    try:
        while (frame := await read_frame(reader)) is not None:
            message = frame.decode("utf-8")
            writer.write(START + acknowledgement(message) + END)
            await writer.drain()
            say("received", message=message)
    except (ConnectionError, UnicodeDecodeError) as error:
        say("failed", reason=type(error).__name__)
    finally:
        writer.close()


async def send(address: str, message: str) -> None:
    """Send one message and say how it was acknowledged."""
    host, _, port = address.rpartition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port), limit=2**24)
        writer.write(START + message.encode() + END)
        await writer.drain()
        answer = await asyncio.wait_for(read_frame(reader), PATIENCE)
        writer.close()
    except (OSError, TimeoutError) as error:
        say("failed", reason=type(error).__name__)
        return
    text = (answer or b"").decode()
    say("acknowledged", code=field(text, "MSA", 1), control=field(text, "MSA", 2), message=text)


async def main() -> None:
    """Listen, then do what stdin says until it ends."""
    server = await asyncio.start_server(take, "127.0.0.1", 0, limit=2**24)
    say("listening", port=server.sockets[0].getsockname()[1])
    commands = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(commands), sys.stdin
    )
    while line := await commands.readline():
        wanted = json.loads(line)
        await send(wanted["send"], wanted["message"])
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
