"""A mail server (aiosmtpd) on loopback that keeps what it gets, and refuses when it is told to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence

from adapter_conformance.exchanges import hear_message
from adapter_conformance.fakes.mail_server import MailServer
from adapter_conformance.fakes.on_socket import Closable
from adapter_conformance.peers import Arrived, FaultName
from adapter_conformance.peers.loopback import LoopbackPeer
from adapter_conformance.planted import PEER_TEXT

_FAULTS: dict[FaultName, str] = {
    "unavailable": "unavailable",
    "unauthorized": "login-refused",
    "refused": "refused",
}


class SmtpPeer(LoopbackPeer):
    """It knows a mail again by its Message-ID."""

    faults = frozenset({*_FAULTS, "down"})

    def __init__(self) -> None:
        self.fake = MailServer()
        self.fake.text = PEER_TEXT
        self.fake.heard = lambda mail: hear_message("SMTP", mail)
        super().__init__()

    async def serve(self, listening: socket.socket) -> Closable:
        """Take mails."""
        return await self.fake.serve(listening)

    def at_fault(self, fault: FaultName | None) -> None:
        """Let the fake do wrong."""
        self.fake.faults.always = _FAULTS.get(fault) if fault else None

    def hang_up(self) -> None:
        """Close every open connection."""
        self.fake.hang_up()

    async def stop(self) -> None:
        """Listen no more, and hang up."""
        await super().stop()
        self.hang_up()
        await asyncio.sleep(0.01)

    def arrived(self) -> Sequence[Arrived]:
        """Each Message-ID once."""
        for number, (mail, raw) in enumerate(zip(self.fake.mails, self.fake.raw, strict=True)):
            self.take(str(mail.get("Message-ID", f"unnamed-{number}")), raw)
        return super().arrived()
