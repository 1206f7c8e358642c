"""A worker process for tests: the real courier on the real store, with a peer that is a file.

    python -m tests.integration.cluster.lane_worker ADDRESS KEYRING EFFECTS SECONDS

Each delivery takes SECONDS, then appends one line to EFFECTS: lane, place in the lane, id, process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from adapter.cli import logs
from adapter.exchange.carrier import Carrier
from adapter.exchange.clock import SystemClock
from adapter.exchange.delivery import Courier
from adapter.exchange.sites import SiteFacts
from adapter.plugin.capabilities import Capabilities
from adapter.plugin.messages import Delivered, Outbound
from adapter.security.keyring import Keyring
from adapter.store.store import Store

SITES = ("agency", "other")


class Peer:
    """A destination that takes its time; what it took stands in a file."""

    def __init__(self, effects: Path, seconds: float) -> None:
        self._file = os.open(effects, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._seconds = seconds

    async def deliver(self, message: Outbound) -> Delivered:
        await asyncio.sleep(self._seconds)
        line = f"{message.referral} {message.event} {message.id} {os.getpid()}\n"
        os.write(self._file, line.encode())
        return Delivered()


class Fleet:
    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    def system(self, _: str) -> Any:
        return self._peer


def facts(name: str) -> SiteFacts:
    return SiteFacts(
        name=name, system="file", organization="Test", role="performer", test=True,
        timezone=ZoneInfo("America/Toronto"), language="en", dialect=None, lifecycle="sdohcc",
        disclosure="community-minimum", consent="sender-attests", capabilities=Capabilities(),
        poll_seconds=60,
    )  # fmt: skip


async def work(address: str, keyring: Keyring, effects: Path, seconds: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    store = Store.open(address, keyring)
    courier = Courier(
        Carrier(
            store=store,
            mapper=None,  # type: ignore[arg-type]
            fleet=Fleet(Peer(effects, seconds)),  # type: ignore[arg-type]
            sites={name: facts(name) for name in SITES},
            clock=SystemClock(),
        )
    )
    running = asyncio.create_task(courier.run())
    print("ready", flush=True)
    await stop.wait()
    await courier.stop(5.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    store.close()


if __name__ == "__main__":
    # A line for each delivery would fill the pipe of who reads no more than "ready".
    logs.configure(json=True, level="ERROR")
    asyncio.run(
        work(sys.argv[1], Keyring.parse(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4]))
    )
