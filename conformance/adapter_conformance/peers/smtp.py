"""A mail server (aiosmtpd) on loopback that keeps what it gets, and refuses when it is told to."""

from __future__ import annotations

import asyncio
import socket
from email import message_from_bytes
from typing import Any

from aiosmtpd.smtp import SMTP

from adapter_conformance.exchanges import hear_message
from adapter_conformance.peers.loopback import LoopbackPeer
from adapter_conformance.planted import PEER_TEXT


class SmtpPeer(LoopbackPeer):
    """It knows a mail again by its Message-ID."""

    faults = frozenset({"unavailable", "unauthorized", "refused", "down"})

    def __init__(self) -> None:
        super().__init__()
        self._talks: list[SMTP] = []

    async def serve(self, listening: socket.socket) -> asyncio.Server:
        """Take mails."""
        loop = asyncio.get_running_loop()

        def talk() -> SMTP:
            made = SMTP(self, hostname="mail.kit.example", loop=loop)
            self._talks = [each for each in self._talks if each.transport is not None]
            self._talks.append(made)
            return made

        return await loop.create_server(talk, sock=listening)

    def hang_up(self) -> None:
        """Close every open connection."""
        for each in self._talks:
            if each.transport is not None:
                each.transport.close()
        self._talks.clear()

    async def stop(self) -> None:
        """Listen no more, and hang up."""
        await super().stop()
        self.hang_up()
        await asyncio.sleep(0.01)

    async def handle_MAIL(  # noqa: N802 - aiosmtpd names its handlers so
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        """Refuse at the sender where a fault says so."""
        if self.fault == "unavailable":
            return f"451 {PEER_TEXT}"
        if self.fault == "unauthorized":
            return f"535 {PEER_TEXT}"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, server: Any, session: Any, envelope: Any
    ) -> str:
        """Keep the mail, or refuse it."""
        hear_message("SMTP", envelope.content)
        if self.fault == "refused":
            return f"554 {PEER_TEXT}"
        mail = message_from_bytes(envelope.content)
        self.take(str(mail.get("Message-ID", f"unnamed-{len(self.taken)}")), envelope.content)
        return "250 OK"
