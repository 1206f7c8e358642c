"""An HL7 v2 peer over MLLP (HL7 v2 transport specification, release 1), both ways."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from adapter.plugin import HttpEndpoint
from adapter_conformance.exchanges import hear_message
from adapter_conformance.fakes.mllp_server import MllpServer, control_id, send
from adapter_conformance.fakes.on_socket import Closable
from adapter_conformance.peers import Answer, Arrived, FaultName
from adapter_conformance.peers.loopback import LoopbackPeer
from adapter_conformance.planted import PEER_TEXT

_FAULTS: dict[FaultName, str] = {
    "unavailable": "rejected",
    "refused": "refused",
    "lost-answer": "lost-answer",
    "nonsense": "nonsense",
}


class MllpPeer(LoopbackPeer):
    """It knows a message again by its control id (MSH-10)."""

    faults = frozenset({*_FAULTS, "down"})
    server_tls: ssl.SSLContext | None = None
    client_tls: ssl.SSLContext | None = None

    def __init__(self) -> None:
        self.fake = MllpServer(text=PEER_TEXT)
        self.fake.heard = lambda message, answer: hear_message("MLLP", message, answer)
        super().__init__()

    async def serve(self, listening: socket.socket) -> Closable:
        """Take frames, answer each."""
        self.fake.tls = self.server_tls
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

    def arrived(self) -> Sequence[Arrived]:
        """Each control id once."""
        for message in self.fake.messages:
            self.take(control_id(message), message)
        return super().arrived()

    async def send(self, endpoint: HttpEndpoint | str, path: str, raw: bytes) -> Answer:
        """Send one message and wait for its acknowledgement."""
        if not isinstance(endpoint, str):
            return await super().send(endpoint, path, raw)
        host, _, port = endpoint.rpartition(":")
        reply = await send(host.strip("[]"), int(port), raw, tls=self.client_tls)
        hear_message("MLLP", raw, reply)
        said = next((each for each in reply.split(b"\r") if each.startswith(b"MSA|")), b"MSA|")
        return Answer(said.split(b"|")[1] in (b"AA", b"CA"), reply)
