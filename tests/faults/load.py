"""The same messages a thousand times, from 64 threads of 3 processes: each has one effect.

On SQLite one service takes them all; on PostgreSQL three services share the store, so that copies
of one message meet in different processes. Every copy must be answered with AA, which is true: the
message is kept. Then the same message ids come with other content: each is refused, without effect.
64 identical conditional creates at once make one resource.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack

import httpx

from adapter.cli.demonstration.mailbox import link_in
from adapter.store.transaction import Transaction
from tests.faults.destination import send
from tests.faults.journey import until
from tests.faults.stage import ROOT, Stage, staged
from tests.faults.tour import STORES, Tour

KIND = "load"
THREADS = 64
PROCESSES = 3


async def run(tour: Tour) -> None:
    """Floods on each store, then conditional creates."""
    messages = tour.pick(sample=50, quick=300, full=1_000)
    copies = tour.pick(sample=20, quick=20, full=1_000)
    for store in STORES if tour.scale != "sample" else STORES[:1]:
        await _flood(tour, store, messages, copies)


async def _flood(tour: Tour, store: str, messages: int, copies: int) -> None:
    async with AsyncExitStack() as stack:
        stages = [await stack.enter_async_context(tour.stage(store))]
        for _ in range(PROCESSES - 1 if store == "postgresql" else 0):
            more = staged(await tour.zygote(), stages[0].url)
            other = await stack.enter_async_context(more)
            other.keyring = stages[0].keyring
            (other.folder / "adapter.key").write_text(other.keyring.to_text())
            stages.append(other)
        for stage in stages:
            await stage.start()
        began = time.monotonic()
        answers = await _send(tour, stages, messages, copies)
        seconds = time.monotonic() - began
        async with asyncio.timeout(120):
            await until(lambda: _letters(stages) >= messages, 0.1)
            await asyncio.sleep(1.0)
        cases = await stages[0].store.read(_kept)  # type: ignore[union-attr]
        letters = _letters(stages)
        tour.say(f"load: {messages} x {copies} on {store}: {dict(answers)} in {seconds:.0f} s"
                 f" ({sum(answers.values()) / seconds:.0f}/s), {cases} kept,"
                 f" {letters} letters")  # fmt: skip
        tour.results.add(
            f"{copies} copies of each of {messages} messages", KIND, store, runs=copies * messages,
            acknowledged=answers["AA"], effects=letters,
            lost=max(messages - letters, 0) + max(messages - cases, 0) + answers["other"],
            duplicated=max(letters - messages, 0) + max(cases - messages, 0),
        )  # fmt: skip
        await _conflict(tour, store, stages[0], letters)
        if store == "sqlite":
            await _create(tour, store, stages[0])


async def _send(tour: Tour, stages: list[Stage], messages: int, copies: int) -> Counter[str]:
    """Run the flooding processes."""
    addresses = ",".join(":".join(map(str, stage.mllp)) for stage in stages)
    bounds = [THREADS * n // PROCESSES for n in range(PROCESSES + 1)]
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.flood", addresses, "L", str(messages), str(first),
            str(last), str(THREADS), str(copies), stdout=subprocess.PIPE, cwd=ROOT,
        )
        for first, last in itertools.pairwise(bounds)
    ]  # fmt: skip
    told = [Counter[str]() for _ in running]

    async def follow(number: int) -> None:
        reader = running[number].stdout
        assert reader is not None
        async for line in reader:
            told[number] = Counter(json.loads(line))
            so_far = sum((each.total() for each in told), 0)
            if so_far:
                left = (time.monotonic() - began) * (messages * copies / so_far - 1)
                tour.say(f"load: {so_far} of {messages * copies}, {left / 60:.1f} min left",
                         seldom=True)  # fmt: skip
        if await running[number].wait():
            raise RuntimeError("a process that floods failed")
        running[number]._transport.close()  # type: ignore[attr-defined]

    began = time.monotonic()
    await asyncio.gather(*(follow(number) for number in range(len(running))))
    return sum(told, Counter[str]())


async def _conflict(tour: Tour, store: str, stage: Stage, letters: int) -> None:
    """The same key with other bytes is refused, and does nothing."""
    refused = 0
    for number in range(10):
        try:
            await send(stage, f"L{number}", "WALK-1", text="other words")
        except AssertionError:
            refused += 1
    await asyncio.sleep(0.5)
    more = _letters([stage]) - letters if store == "sqlite" else 0
    tour.results.add("same id, other content", KIND, store, runs=10, effects=refused,
                     lost=10 - refused, duplicated=max(more, 0))  # fmt: skip


async def _create(tour: Tour, store: str, stage: Stage) -> None:
    """Conditional creates, all at once, of the same thing."""
    rounds = tour.pick(sample=2, quick=5, full=100)
    made = again = failed = 0
    async with httpx.AsyncClient(timeout=60, verify=False) as client:
        for number in range(rounds):
            system = "https://synthetic.example/ids"
            document = {"resourceType": "Organization", "name": "Synthetic",
                        "identifier": [{"system": system, "value": f"N{number}"}]}  # fmt: skip
            headers = {"Content-Type": "application/fhir+json",
                       "If-None-Exist": f"identifier={system}|N{number}"}  # fmt: skip
            url = f"{stage.ready['fhir']}/Organization"
            answers = await asyncio.gather(
                *(client.post(url, json=document, headers=headers) for _ in range(THREADS))
            )
            codes = Counter(each.status_code for each in answers)
            made += codes[201]
            again += codes[200]
            failed += THREADS - codes[201] - codes[200]
    tour.say(f"load: {rounds} x {THREADS} conditional creates: {made} made, {again} found, {failed}"
             " failed")  # fmt: skip
    tour.results.add(
        f"{THREADS} identical conditional creates at once", KIND, store, runs=rounds * THREADS,
        acknowledged=made + again, effects=made, lost=max(rounds - made, 0) + failed,
        duplicated=max(made - rounds, 0),
    )  # fmt: skip


def _letters(stages: list[Stage]) -> int:
    return len({str(each["Message-ID"]) for stage in stages for each in stage.mailbox.letters
                if link_in(each)})  # fmt: skip


def _kept(tx: Transaction) -> int:
    return len(tx.cases.list())
