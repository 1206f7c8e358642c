"""A whole loop for tests: the real service in a process of its own, a real SMTP server, and an EMR
that speaks through python-hl7, a library of another maker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import hl7
from hl7.mllp import open_hl7_connection, start_hl7_server

from adapter.cli.demonstration.child import Child
from adapter.cli.demonstration.mailbox import Mailbox
from adapter.security.keyring import Keyring
from tests.integration.loop.ports import lasting_port

CONFIG = """
organization = "Test community health"
[store]
url = "sqlite:///adapter.sqlite3"
key = "file:adapter.key"
[server]
host = "127.0.0.1"
port = {http}
auth = "open"
[plugins]
enabled = ["hl7v2", "link"]
[routing]
programs = "programs.toml"
send = "best"
[sites.clinic]
system = "hl7v2"
role = "requester"
organization = "Test clinic"
test = true
[sites.clinic.settings]
host = "127.0.0.1"
port = {mllp}
deliver_to = "127.0.0.1:{emr}"
[sites.agency]
system = "link"
role = "performer"
organization = "Test agency"
test = true
language = "{language}"
[sites.agency.settings]
smtp_host = "127.0.0.1"
smtp_port = {smtp}
smtp_tls = "none"
sender = "referrals@adapter.example"
recipient = "intake@agency.example"
"""

PROGRAMS = """
[[program]]
id = "walking-group"
name_en = "Neighbourhood walking group"
name_fr = "Groupe de marche du quartier"
organization = "Test agency"
site = "agency"
identifiers = ["WALK-1"]
needs = ["social-connection", "Z60.2"]
languages = ["en", "fr"]
"""


def referral(number: str, *, control: str | None = None, text: str = "lonely since moving") -> str:
    """A synthetic REF^I12 that names the program by its provider number."""
    return "\r".join(
        [
            "MSH|^~\\&|TESTEMR|CLINIC|ADAPTER|HUB|20260302100000-0500||REF^I12^REF_I12"
            f"|{control or number}|T|2.5.1",
            f"RF1|P|R|||A|{number}|20260302||20260302",
            "PRD|RP|Synthetic^Clinician|||||99001^^^SYNTH",
            "PRD|RT|Walking^Group|||||WALK-1^^^SYNTH",
            f"PID|1||{number}P^^^CLINIC^MR||Synthetic^Test||19500101|F",
            "DG1|1||Z60.2^Problems related to living alone^I10||20260302|W",
            f"NTE|1||{text}",
            "",
        ]
    )


class Emr:
    """The clinic's side: sends over one or more connections, and keeps what it receives."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.port = 0
        self._news = asyncio.Condition()
        self._server: Any = None
        self._writers: list[Any] = []

    async def open(self) -> None:
        """Listen on a free port."""
        self._server = await start_hl7_server(self._take, host="127.0.0.1", port=0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and let go of every connection."""
        self._server.close()
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _take(self, reader: Any, writer: Any) -> None:
        self._writers.append(writer)
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                writer.writemessage(message.create_ack())
                await writer.drain()
                async with self._news:
                    self.received.append(str(message))
                    self._news.notify_all()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def wait_for(self, count: int, patience: float = 30.0) -> list[str]:
        """What was received, once it is at least `count` messages."""
        async with asyncio.timeout(patience), self._news:
            await self._news.wait_for(lambda: len(self.received) >= count)
        return self.received


async def exchange(address: str, *messages: str) -> list[hl7.Message]:
    """Send messages over one connection, each after the answer to the one before."""
    host, _, port = address.rpartition(":")
    reader, writer = await open_hl7_connection(host, int(port))
    answers = []
    try:
        for message in messages:
            writer.writemessage(hl7.parse(message))
            await writer.drain()
            answers.append(await asyncio.wait_for(reader.readmessage(), 20))
    finally:
        writer.close()
    await writer.wait_closed()
    return answers


class Loop:
    """The service with everything around it."""

    def __init__(self, folder: Path, language: str = "en") -> None:
        self.folder = folder
        self.language = language
        self.mailbox = Mailbox()
        self.emr = Emr()
        self.service: Child | None = None
        self.ready: dict[str, Any] = {}
        self._http, self._mllp = lasting_port(), lasting_port()

    async def open(self) -> None:
        """Start everything."""
        await self.mailbox.open()
        await self.emr.open()
        (self.folder / "adapter.key").write_text(Keyring.generate().to_text())
        (self.folder / "programs.toml").write_text(PROGRAMS)
        await self.start()

    async def start(self) -> None:
        """Start the service; after a kill it comes back on the same ports."""
        self.config.write_text(
            CONFIG.format(
                http=self._http,
                mllp=self._mllp,
                emr=self.emr.port,
                smtp=self.mailbox.port,
                language=self.language,
            )
        )
        self.service = await Child.start(
            "service",
            "adapter.cli",
            ["serve", "--config", str(self.config), "--json"],
            self.folder / "service.log",
        )
        self.ready = await self.service.wait(lambda each: each.get("event") == "ready", patience=90)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "adapter.toml"

    @property
    def mllp(self) -> str:
        """Where the EMR sends to."""
        address: str = self.ready["listeners"]["clinic"]
        return address

    async def kill(self) -> None:
        """kill -9, as a power cut would."""
        assert self.service is not None
        os.kill(self.ready["pid"], signal.SIGKILL)
        await self.service.end()

    async def close(self) -> None:
        """Stop everything."""
        if self.service:
            await self.service.end()
        await self.emr.close()
        await self.mailbox.close()
