"""The service as it runs under test: a real `adapter serve`, that may be told where to die.

It talks to the test over one socket: its ready line goes there, and orders come from there, one
JSON object a line: ``{"arm": [name, passing]}`` (null counts only) or ``{"report": true}``.
Dying is `kill -9` of itself, in the thread that passes the place, so that not one instruction more
is run.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import os
import signal
import socket
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from adapter.store import failpoints
from tests.faults import sending

Arm = tuple[str, int]


class Child:
    """The end of the line in the service's process."""

    def __init__(self, line: socket.socket) -> None:
        self.line = line
        self._passed: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._armed: Arm | None = None

    def obey(self, order: dict[str, Any]) -> None:
        """Arm, trace, or report what was traced."""
        if "arm" in order:
            self.arm(order["arm"])
        if "report" in order:
            self.tell({"event": "passed", "passed": dict(self._passed)})

    def arm(self, wanted: list[Any] | None) -> None:
        """Die at the n-th passing of a place from now on; None counts only."""
        with self._lock:
            self._passed.clear()
            self._armed = (str(wanted[0]), int(wanted[1])) if wanted else None
        failpoints.arm(self._pass)

    def tell(self, event: dict[str, Any]) -> None:
        """Say one thing to the test."""
        self.line.sendall(json.dumps(event).encode() + b"\n")

    async def listen(self) -> None:
        """Obey what comes, until the test hangs up."""
        loop = asyncio.get_running_loop()
        self.line.setblocking(False)
        waiting = b""
        while data := await loop.sock_recv(self.line, 65536):
            *lines, waiting = (waiting + data).split(b"\n")
            for each in lines:
                order = json.loads(each)
                self.line.setblocking(True)
                self.obey(order)
                self.tell({"event": "obeyed"})
                self.line.setblocking(False)
        os.kill(os.getpid(), signal.SIGKILL)  # the test is gone

    def _pass(self, name: str) -> None:
        with self._lock:
            self._passed[name] += 1
            if self._armed is not None and self._armed == (name, self._passed[name]):
                os.kill(os.getpid(), signal.SIGKILL)


def serve(child: Child, config: Path, arm: list[Any] | None) -> None:
    """Run the service until it dies or is stopped."""
    from adapter.cli.logs import configure
    from adapter.cli.serve import run
    from adapter.exchange.config import load_config

    faulthandler.register(signal.SIGUSR1)  # where each thread stands, into the log
    sending.watch()
    if arm is not None:
        child.arm(arm)
    configure(json=True, level="WARNING")

    async def both() -> None:
        listening = asyncio.create_task(child.listen())
        try:
            await run(load_config(config), as_json=True)
        finally:
            listening.cancel()

    asyncio.run(both())
