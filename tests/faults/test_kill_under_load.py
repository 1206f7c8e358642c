"""kill -9 of the service at random moments under load: nothing acknowledged is lost or doubled."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import hl7
import pytest
from hl7.mllp import open_hl7_connection

from tests.integration.loop.harness import Loop, referral

pytestmark = pytest.mark.network

SENDERS = 4
EACH = 30
KILLS = 4


class Clinic:
    """Sends its referrals until each is acknowledged; the same bytes again after a lost answer."""

    def __init__(self, loop: Loop, numbers: list[str]) -> None:
        self.loop = loop
        self.waiting = numbers
        self.acknowledged: set[str] = set()

    async def run(self) -> None:
        while self.waiting:
            try:
                await self._send()
            except (OSError, asyncio.IncompleteReadError, TimeoutError, EOFError):
                await asyncio.sleep(0.05)

    async def _send(self) -> None:
        host, _, port = self.loop.mllp.rpartition(":")
        reader, writer = await open_hl7_connection(host, int(port))
        try:
            while self.waiting:
                writer.writemessage(hl7.parse(referral(self.waiting[0])))
                await writer.drain()
                answer = await asyncio.wait_for(reader.readmessage(), 5)
                if str(answer.segment("MSA")[1]) == "AA":
                    self.acknowledged.add(self.waiting.pop(0))
                await asyncio.sleep(0.01)
        finally:
            writer.close()


def test_every_acknowledged_referral_is_there_and_delivered_once(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    counts = asyncio.run(_storm(tmp_path, random.Random(seed)))
    print(f"seed {seed}: {counts}")

    assert counts["kills"] == KILLS, f"seed {seed}"
    assert counts["acknowledged"] == SENDERS * EACH, f"seed {seed}"
    assert counts["lost"] == 0, f"seed {seed}"
    assert counts["doubled"] == 0, f"seed {seed}"
    assert counts["letters"] == SENDERS * EACH, f"seed {seed}"


async def _storm(folder: Path, chance: random.Random) -> dict[str, Any]:
    loop = Loop(folder)
    await loop.open()
    clinics = [
        Clinic(loop, [f"K{sender}-{number:03}" for number in range(EACH)])
        for sender in range(SENDERS)
    ]
    sending = asyncio.gather(*(clinic.run() for clinic in clinics))
    kills = 0
    try:
        while kills < KILLS:
            await asyncio.sleep(chance.uniform(0.05, 0.6))
            await loop.kill()
            kills += 1
            await loop.start()
        await asyncio.wait_for(sending, 60)
        acknowledged = set().union(*(clinic.acknowledged for clinic in clinics))
        letters = await _settled(loop, len(acknowledged))
        kept = await _kept(loop)
    finally:
        sending.cancel()
        await loop.close()
    return {
        "kills": kills,
        "acknowledged": len(acknowledged),
        "lost": len(acknowledged - set(kept)),
        "doubled": len(kept) - len(set(kept)),
        "letters": len(letters),
    }


async def _settled(loop: Loop, wanted: int) -> set[str]:
    """The Message-IDs at the agency: a receiver that knows them takes each letter once."""
    for _ in range(300):
        found = {str(each["Message-ID"]) for each in loop.mailbox.letters}
        if len(found) >= wanted:
            await asyncio.sleep(1.0)
            break
        await asyncio.sleep(0.1)
    return {str(each["Message-ID"]) for each in loop.mailbox.letters}


async def _kept(loop: Loop) -> list[str]:
    from adapter.exchange.config import load_config
    from adapter.exchange.queries import referrals
    from adapter.exchange.store_settings import store_url
    from adapter.security.keyring import Keyring
    from adapter.store.store import Store

    assert loop.service is not None
    await loop.service.end()
    config = load_config(loop.config)
    store = Store.open(store_url(config), Keyring.load(config.store.key, base=config.folder))
    try:
        rows = store.read_now(referrals)
    finally:
        store.close()
    return [
        number["value"]
        for row in rows
        for number in row["identifiers"]
        if number["value"].startswith("K")
    ]
