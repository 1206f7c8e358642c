"""Two services and two workers on one PostgreSQL, as an operator starts them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.cli.demonstration.child import Child
from adapter.cli.init import free_ports
from adapter.exchange.delivery import PER_SITE
from adapter.security.keyring import Keyring
from adapter.store.check import check
from adapter.store.store import Store
from tests.integration.loop.harness import CONFIG, PROGRAMS, Loop, exchange, referral

pytestmark = pytest.mark.network


class Shared(Loop):
    """Several processes on one store; the first service's pages are the address in the e-mails."""

    def __init__(self, folder: Path, address: str) -> None:
        super().__init__(folder)
        self.address = address
        self.ports = free_ports(2)
        self.children: list[Child] = []
        self.numbers = count()

    async def begin(self) -> None:
        await self.mailbox.open()
        await self.emr.open()
        (self.folder / "adapter.key").write_text(Keyring.generate().to_text())
        (self.folder / "programs.toml").write_text(PROGRAMS)

    def file(self, number: int) -> Path:
        text = CONFIG.format(
            http=self.ports[number], mllp=0, emr=self.emr.port, smtp=self.mailbox.port,
            language="en",
        )  # fmt: skip
        text = text.replace("sqlite:///adapter.sqlite3", self.address)
        text = text.replace(
            'auth = "open"', f'auth = "open"\nbase_url = "http://127.0.0.1:{self.ports[0]}"'
        )
        file = self.folder / f"adapter-{number}.toml"
        file.write_text(text)
        return file

    async def child(self, command: str, number: int) -> dict[str, Any]:
        name = f"{command}-{next(self.numbers)}"
        started = await Child.start(
            name, "adapter.cli", [command, "--config", str(self.file(number)), "--json"],
            self.folder / f"{name}.log",
        )  # fmt: skip
        self.children.append(started)
        return await started.wait(lambda each: each.get("event") == "ready", patience=120)

    async def watched(self) -> dict[str, Any]:
        """A worker that answers those who watch; its ready line."""
        started = await Child.start(
            "watched", "adapter.cli",
            ["worker", "--config", str(self.file(0)), "--json", "--watch-at", "127.0.0.1:0"],
            self.folder / "watched.log",
        )  # fmt: skip
        self.children.append(started)
        return await started.wait(lambda each: each.get("event") == "ready", patience=120)

    async def end(self) -> None:
        for each in self.children:
            await each.end()
        await self.emr.close()
        await self.mailbox.close()


@asynccontextmanager
async def shared(folder: Path, address: str) -> AsyncIterator[Shared]:
    stage = Shared(folder, address)
    await stage.begin()
    try:
        yield stage
    finally:
        await stage.end()


def test_two_services_and_two_workers_lose_nothing_and_tell_nobody_twice(
    address: str, tmp_path: Path
) -> None:
    async def run() -> None:
        async with shared(tmp_path, address) as stage:
            one, two, worker, _ = await asyncio.gather(
                stage.child("serve", 0),
                stage.child("serve", 1),
                stage.child("worker", 0),
                stage.child("worker", 0),
            )
            first, second = one["listeners"]["clinic"], two["listeners"]["clinic"]
            answers = await asyncio.gather(
                exchange(first, *(referral(f"A-{n}") for n in range(5))),
                exchange(second, *(referral(f"A-{n}") for n in range(5))),
                exchange(second, *(referral(f"B-{n}") for n in range(5))),
            )
            assert {str(a.segment("MSA")[1]) for each in answers for a in each} == {"AA"}
            await letters(stage, 10)
            os.kill(worker["pid"], signal.SIGKILL)
            os.kill(one["pid"], signal.SIGKILL)
            await exchange(second, *(referral(f"C-{n}") for n in range(5)))
            await letters(stage, 15)
            store = Store.open(address, Keyring.load("file:adapter.key", base=tmp_path))
            try:
                await at_rest(store)
                assert len(store.read_now(lambda tx: tx.cases.list())) == 15
                rows = store.read_now(lambda tx: tx.outbox.list())
                assert {row.state for row in rows} == {"delivered"}
                assert [each for each in check(store) if each.state == "fail"] == []
            finally:
                store.close()
            told = Counter(each["Message-ID"] for each in stage.mailbox.letters)
            assert len(told) == 15
            # A letter that was out as the worker died may come again, as the same letter.
            assert max(told.values()) <= 2
            assert told.total() <= 15 + PER_SITE

    asyncio.run(run())


def test_a_worker_can_be_watched(address: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with shared(tmp_path, address) as stage:
            health = (await stage.watched())["health"]
            async with httpx.AsyncClient(timeout=30) as client:
                for place in ("live", "ready"):
                    assert (await client.get(f"{health}/{place}")).status_code == 200
                numbers = (await client.get(health.replace("/health", "/metrics"))).text
                assert (await client.get(health.replace("/health", "/fhir"))).status_code == 404
            assert 'adapter_deliveries_total{outcome="delivered",site="agency"} 0.0' in numbers

    asyncio.run(run())


async def letters(stage: Shared, wanted: int) -> None:
    """Until so many different ones came."""
    async with asyncio.timeout(90):
        while len({each["Message-ID"] for each in stage.mailbox.letters}) < wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def at_rest(store: Store) -> None:
    """Until what a worker died with was taken over, and every delivery has its end."""
    async with asyncio.timeout(30):
        while any(  # noqa: ASYNC110
            row.state in {"pending", "sending"}
            for row in await asyncio.to_thread(store.read_now, lambda tx: tx.outbox.list())
        ):
            await asyncio.sleep(0.1)


def test_a_worker_on_sqlite_says_why_not(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "adapter.cli", "init", tmp_path / "x", "--json"],
        check=True, timeout=60, capture_output=True,
    )  # fmt: skip
    done = subprocess.run(
        [
            sys.executable, "-m", "adapter.cli", "worker", "--json", "--config",
            tmp_path / "x" / "adapter.toml",
        ],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "worker.needs-postgresql" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("where", ["9102", "here:", "127.0.0.1:http", "127.0.0.1:70000"])
def test_where_a_worker_is_watched_is_an_address(where: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "adapter.cli", "worker", "--json", "--watch-at", where],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "HOST:PORT" in done.stderr


def test_a_worker_that_cannot_know_the_pages_address_says_so(address: str, tmp_path: Path) -> None:
    (tmp_path / "adapter.key").write_text(Keyring.generate().to_text())
    file = tmp_path / "adapter.toml"
    file.write_text(
        f'organization = "Test"\n[store]\nurl = "{address}"\nkey = "file:adapter.key"\n'
        "[server]\nport = 0\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "adapter.cli", "worker", "--json", "--config", file],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "worker.needs-address" in done.stderr
    assert done.stdout == ""
