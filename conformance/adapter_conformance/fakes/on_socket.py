"""A fake that listens on a socket of its own: a context to start and end it, faults by name."""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Protocol, Self

from adapter_conformance.fakes.faults import Faults


class Closable(Protocol):
    """What listens; it can be closed."""

    def close(self) -> None:
        """Listen no more."""


class OnSocket(ABC):
    """A server on 127.0.0.1.

    Attributes:
        faults: what it does wrong. `port`: where it listens.

    Args:
        known: the names of its faults, each with what it means.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self.faults = Faults(known)
        self.port = 0
        self._listens: Closable | None = None

    def fail_next(self, *faults: str) -> None:
        """Let the next connections fail, one each.

        Raises:
            ValueError: there is no fault of that name; the text lists those that there are.
        """
        self.faults.next(*faults)

    async def __aenter__(self) -> Self:
        """Listen on a free port."""
        await self.serve(socket.create_server(("127.0.0.1", 0)))
        return self

    async def __aexit__(self, *problem: object) -> None:
        """Hang up, and listen no more."""
        if self._listens is not None:
            self._listens.close()
        self.hang_up()
        await self.ended()

    async def serve(self, listening: socket.socket) -> Closable:
        """Listen on a socket that is there already."""
        self.port = listening.getsockname()[1]
        self._listens = await self.listen(listening)
        return self._listens

    @abstractmethod
    async def listen(self, listening: socket.socket) -> Closable:
        """Take connections from a socket."""

    @abstractmethod
    def hang_up(self) -> None:
        """Close every connection."""

    async def ended(self) -> None:
        """Wait until its conversations have ended."""
        await asyncio.sleep(0.01)
