"""A peer on a socket of this machine, that can really be down and come back on the same port."""

from __future__ import annotations

import asyncio
import socket
from abc import abstractmethod
from typing import Protocol

from adapter_conformance.peers import FaultName
from adapter_conformance.peers.nobody import NobodyPeer


class Listening(Protocol):
    """What listens: a server of asyncio, or what is like one."""

    def close(self) -> None:
        """Listen no more."""


class LoopbackPeer(NobodyPeer):
    """What the peers with sockets share. `fault = "down"` closes the socket at once."""

    def __init__(self) -> None:
        self._fault: FaultName | None = None
        self._server: Listening | None = None
        self._starting: asyncio.Task[Listening] | None = None
        super().__init__()

    @abstractmethod
    async def serve(self, listening: socket.socket) -> Listening:
        """A server on a socket that listens already."""

    async def start(self) -> None:
        """Listen on a free port."""
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        self.values = {"host": "127.0.0.1", "port": str(port)}
        self._server = await self.serve(listening)

    async def stop(self) -> None:
        """Listen no more."""
        if self._starting is not None:
            self._server = await self._starting
        if self._server is not None:
            self._server.close()

    @property
    def fault(self) -> FaultName | None:
        """What is wrong with it now."""
        return self._fault

    @fault.setter
    def fault(self, fault: FaultName | None) -> None:
        before, self._fault = self._fault, fault
        self.at_fault(fault)
        if fault == "down" and self._server is not None:
            self._server.close()
            self._server = None
            self.hang_up()
        elif before == "down" and fault != "down":
            listening = socket.create_server(("127.0.0.1", int(self.values["port"])))
            self._starting = asyncio.ensure_future(self.serve(listening))

    @abstractmethod
    def at_fault(self, fault: FaultName | None) -> None:
        """Do wrong in this way from now on; being down is done here."""

    @abstractmethod
    def hang_up(self) -> None:
        """Close every open connection."""
