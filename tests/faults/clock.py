"""The machine's clock is wrong, jumps, and goes back: what was received is delivered all the same.

A service with a clock of the test's own takes referrals while that clock is set. Each referral must
reach its agency once, within seconds of real time, whatever the clock says; and the order of the
journal is its sequence, not its times.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapter.cli.demonstration.mailbox import Mailbox, link_in
from adapter.exchange.config import load_config
from adapter.exchange.service import Service
from adapter.portal.pages import Pages
from adapter.security.keyring import Keyring
from adapter.store.store import Store
from adapter.store.transaction import Transaction
from tests.faults.journey import until
from tests.faults.tour import Tour
from tests.integration.loop.harness import CONFIG, PROGRAMS, exchange, referral

KIND = "clock"
PATIENCE = 30.0


class SetClock:
    """A clock that goes on, from wherever it is set."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        """The time, as this clock has it."""
        return datetime.now(UTC) + self.ahead

    def set(self, to: datetime) -> None:
        """Jump."""
        self.ahead = to - datetime.now(UTC)


def settings(now: datetime) -> list[tuple[str, datetime]]:
    """What the clock is set to, one after the other."""
    return [
        ("10 minutes fast", now + timedelta(minutes=10)),
        ("10 minutes slow", now - timedelta(minutes=10)),
        ("steps forward 1 h", now + timedelta(hours=1)),
        ("steps back 1 h", now - timedelta(hours=1)),
        ("spring change of Toronto", datetime(2027, 3, 14, 6, 59, 59, tzinfo=UTC)),
        ("autumn change of Toronto", datetime(2026, 11, 1, 5, 59, 59, tzinfo=UTC)),
        ("leap day", datetime(2028, 2, 29, 23, 59, 59, tzinfo=UTC)),
        ("end of 32-bit time", datetime(2038, 1, 19, 3, 14, 6, tzinfo=UTC)),
        ("back to now", now),
    ]


async def run(tour: Tour) -> None:
    """Each setting, with referrals sent before it, at it and after it."""
    each = tour.pick(sample=1, quick=3, full=10)
    clock = SetClock()
    async with _service(clock) as (service, mailbox, store):
        address = service.fleet.addresses["clinic"]
        places = settings(datetime.now(UTC))
        for name, to in places if tour.scale != "sample" else places[:4]:
            letters = len(_letters(mailbox))
            lines = len(await store.read(lambda tx: tx.journal.after(0, 1_000_000)))
            numbers = [f"CLK{time.monotonic_ns()}{n}" for n in range(3 * each)]
            sent = await exchange(address, *map(referral, numbers[:each]))
            clock.set(to)
            began = time.monotonic()
            sent += await exchange(address, *map(referral, numbers[each : 2 * each]))
            await asyncio.sleep(0.2)
            sent += await exchange(address, *map(referral, numbers[2 * each :]))
            taken = sum(str(answer.segment("MSA")[1]) == "AA" for answer in sent)
            try:
                async with asyncio.timeout(PATIENCE):
                    await until(lambda n=letters + taken: len(_letters(mailbox)) >= n, 0.02)  # type: ignore[misc]
            except TimeoutError:
                tour.say(f"clock: {name}: not delivered within {PATIENCE:.0f} s")
            recovery = time.monotonic() - began
            arrived = len(_letters(mailbox)) - letters
            broken = await store.read(lambda tx, after=lines: _broken(tx, after))  # type: ignore[misc]
            tour.say(f"clock: {name}: {arrived} of {taken} in {recovery:.1f} s")
            tour.results.add(
                name, KIND, "sqlite", acknowledged=taken, effects=min(arrived, taken),
                lost=max(taken - arrived, 0) + broken, duplicated=max(arrived - taken, 0),
                recovery=recovery,
            )  # fmt: skip


def _broken(tx: Transaction, after: int) -> int:
    """Places in the chain that do not hold, and numbers that are missing in the journal."""
    lines = [each.sequence for each in tx.journal.after(after, 1_000_000)]
    return len(tx.journal.verify()) + (lines != list(range(after + 1, after + 1 + len(lines))))


def _letters(mailbox: Mailbox) -> set[str]:
    return {str(each["Message-ID"]) for each in mailbox.letters if link_in(each)}


@asynccontextmanager
async def _service(clock: SetClock) -> AsyncIterator[tuple[Service, Mailbox, Store]]:
    """A whole service in this process, whose every part asks this clock."""
    mailbox = Mailbox()
    await mailbox.open()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "programs.toml").write_text(PROGRAMS)
        (folder / "adapter.toml").write_text(
            CONFIG.format(http=0, mllp=0, emr=9, smtp=mailbox.port, language="en")
        )
        keyring = Keyring.generate()
        store = Store.open(f"sqlite:///{folder}/store.db", keyring, clock=clock.now)
        service = Service(
            load_config(folder / "adapter.toml"),
            pages=Pages(), store=store, keyring=keyring, clock=clock,
        )  # fmt: skip
        service.bound("http://127.0.0.1:9")
        try:
            await service.start()
            yield service, mailbox, store
        finally:
            await service.stop()
            await mailbox.close()
