"""A process that writes until it is killed, and says each thing that was acknowledged.

Arguments: address, keyring file, name; then a failpoint and the passing at which to die, or
nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from adapter.security.keyring import Keyring
from adapter.store import failpoints
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.integration.store.work import open_case, queue, receive


def whole(tx: Transaction, key: str) -> str:
    """A receipt and all that follows it, in one commit."""
    row = receive(tx, key)
    referral = open_case(tx)
    tx.inbox.mark(row.id, "processed", referral=referral)
    tx.resources.put("Task", referral, organization="o", content={"a": 1}, referral=referral)
    queue(tx, referral)
    tx.audit.append({"key": key}, organization="o", referral=referral)
    return key


async def main(store: Store, name: str) -> None:
    os.write(1, b"ready\n")

    async def client(number: int) -> None:
        for n in range(100_000):
            key = await store.write(lambda tx: whole(tx, f"{name}-{number}-{n}"))  # noqa: B023
            os.write(1, f"{key}\n".encode())

    await asyncio.gather(*(client(number) for number in range(4)))


def die_at(wanted: str, passing: int) -> None:
    left = passing

    def action(name: str) -> None:
        nonlocal left
        if name == wanted:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    failpoints.arm(action)


if __name__ == "__main__":
    if len(sys.argv) > 4:
        die_at(sys.argv[4], int(sys.argv[5]))
    opened = Store.open(sys.argv[1], Keyring.parse(Path(sys.argv[2]).read_text("ascii")))
    asyncio.run(main(opened, sys.argv[3]))
