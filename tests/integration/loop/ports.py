"""Ports that stay ours while nobody listens on them.

A service under test dies and comes back on the same port. The system gives "any free port" out of a
range from which every outgoing connection takes its own: meanwhile such a connection, of whatever
program, may sit on it. Ports below that range are taken by nobody who does not ask for them.
"""

from __future__ import annotations

import random
import socket

_LOWEST, _HIGHEST = 11_000, 32_000


def lasting_port() -> int:
    """A port below the system's own range that is free now."""
    for _ in range(1_000):
        port = random.randint(_LOWEST, _HIGHEST)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port is free")
