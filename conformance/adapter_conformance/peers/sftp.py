"""A peer that exchanges files at its SFTP server: it puts its own into `in`, and takes ours from
`out`; both lie in the folder ``exchange``."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from adapter_conformance.fakes.on_socket import Closable
from adapter_conformance.fakes.sftp_server import SftpServer
from adapter_conformance.peers import Arrived, FaultName
from adapter_conformance.peers.loopback import LoopbackPeer
from adapter_conformance.planted import PEER_TEXT, SECRET

_FAULTS: dict[FaultName, str] = {
    "unavailable": "failing",
    "unauthorized": "login-refused",
    "lost-answer": "lost-answer",
    "nonsense": "nonsense",
}


class SftpPeer(LoopbackPeer):
    """The name of a file is its key; a dot in front means: not there yet."""

    faults = frozenset({*_FAULTS, "down"})

    def __init__(self) -> None:
        self.root = Path(tempfile.gettempdir(), "not-started")
        self.fake = SftpServer(self.root, password=SECRET)
        self.fake.text = PEER_TEXT
        super().__init__()

    async def start(self) -> None:
        """Make the folder, and listen."""
        self.root = self.fake.folder = Path(tempfile.mkdtemp(prefix="kit-"))
        for name in ("in", "out"):
            (self.root / "exchange" / name).mkdir(parents=True)
        await super().start()
        self.values = {
            **self.values,
            "username": self.fake.username,
            "host_key": self.fake.host_key,
            "folder": "exchange",
        }

    async def serve(self, listening: socket.socket) -> Closable:
        """Let in the adapter."""
        return await self.fake.serve(listening)

    def at_fault(self, fault: FaultName | None) -> None:
        """Let the fake do wrong; to who is connected already, too."""
        self.fake.faults.always = _FAULTS.get(fault) if fault else None
        if fault in ("unauthorized", "nonsense"):
            self.hang_up()

    def hang_up(self) -> None:
        """Close every open connection."""
        self.fake.hang_up()

    async def stop(self) -> None:
        """Listen no more, hang up, and remove the folder."""
        await super().stop()
        await self.fake.__aexit__()
        shutil.rmtree(self.root, ignore_errors=True)

    def arrived(self) -> Sequence[Arrived]:
        """The files, oldest first."""
        out = self.root / "exchange" / "out"
        files = [each for each in out.iterdir() if each.name[0] != "."]
        files.sort(key=lambda each: each.stat().st_mtime_ns)
        return [Arrived(each.name, each.read_bytes()) for each in files]

    async def offer(self, messages: Sequence[bytes]) -> None:
        """Put a file for each message."""
        for number, raw in enumerate(messages, 1):
            (self.root / "exchange" / "in" / f"{number:04d}.json").write_bytes(raw)
