"""`adapter hl7v2 send`: messages of a file to any MLLP address, and what comes back.

For setting a connection up, before a site is configured: does it answer, and what does it say?
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from adapter.plugin import AdapterError, DataError
from adapter_hl7v2.batch import split
from adapter_hl7v2.config import is_loopback, split_address
from adapter_hl7v2.message import Message
from adapter_hl7v2.mllp_client import Destination, MllpClient
from adapter_hl7v2.replies import judge_reply
from adapter_hl7v2.tls import client_context


def send(address: str, file: Path, *, tls: bool = False, ca: Path | None = None) -> None:
    """Send the messages of FILE (- for standard input) to HOST:PORT by MLLP; print each answer.

    Nothing is stored. Beyond this machine --tls is needed; --ca names the PEM file of an authority
    that is not a public one. Exits with 1 if a message was refused, with 5 if nobody answers.
    """
    host, port = split_address(address)
    if not host or not port:
        raise DataError("hl7v2.address", "this is no HOST:PORT", fix="For example: 127.0.0.1:2575")
    if not tls and not is_loopback(host):
        raise DataError("hl7v2.plain", "plain MLLP goes to this machine alone", fix="Add --tls.")
    raw = sys.stdin.buffer.read() if str(file) == "-" else _read(file)
    context = client_context(ca=ca.read_text("ascii") if ca else None) if tls else None
    refused = asyncio.run(_send_all(Destination(host=host, port=port, tls=context), raw))
    if refused:
        raise DataError(
            "hl7v2.refused",
            f"{refused} of the messages were not taken",
            fix="Look at MSA and ERR of the answers above.",
        )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise DataError(
            "hl7v2.no-file", f"the file cannot be read: {error.strerror}", fix="Check its name."
        ) from error


async def _send_all(destination: Destination, raw: bytes) -> int:
    client = MllpClient(destination)
    refused = 0
    try:
        for each in split([raw]):
            if isinstance(each, DataError):
                raise each
            refused += await _send_one(client, each)
    finally:
        await client.close()
    return refused


async def _send_one(client: MllpClient, raw: bytes) -> bool:
    """Send one; True if it was refused."""
    message = Message.parse(raw)
    header = message.segment("MSH")
    reply = await client.send(message.to_bytes())
    sys.stdout.write(reply.decode("utf-8", "replace").replace("\r", "\n").rstrip() + "\n\n")
    sys.stdout.flush()
    try:
        judge_reply(reply, control_id=(header.get(10) if header else None) or None, again=False)
    except AdapterError as error:
        sys.stderr.write(f"{error.message}  {error.fix}".rstrip() + "\n")
        return True
    return False
