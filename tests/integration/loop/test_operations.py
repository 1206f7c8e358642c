"""What an operator does about what is stuck, beside the running service."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.demonstration.mailbox import link_in
from tests.integration.loop.harness import Loop, exchange, referral

pytestmark = pytest.mark.network


async def command(loop: Loop, *words: str, expect: int = 0) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapter.cli", *words, "--config", str(loop.config), "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode == expect, errors.decode()
    assert b"Traceback" not in errors
    return json.loads(out) if expect == 0 else errors.decode()


async def until(loop: Loop, words: tuple[str, ...], wanted: Any) -> Any:
    for _ in range(60):
        found = await command(loop, *words)
        if wanted(found):
            return found
        await asyncio.sleep(0.3)
    raise AssertionError(f"never so: {found}")


def test_a_destination_that_was_down_gets_it_when_an_operator_says_so(tmp_path: Path) -> None:
    async def work(loop: Loop) -> None:
        await loop.mailbox.close()
        (answer,) = await exchange(loop.mllp, referral("R-1"))
        assert str(answer.segment("MSA")[1]) == "AA"
        (stuck,) = await until(
            loop, ("deliveries", "list"), lambda rows: [r for r in rows if r["attempts"]]
        )
        assert stuck["state"] == "waiting"
        assert stuck["error"]
        assert stuck["fix"]
        site = [s for s in await command(loop, "sites", "list") if s["site"] == "agency"]
        assert site[0]["state"] == "retrying"

        await loop.mailbox.open(loop.mailbox.port)
        await command(loop, "deliveries", "retry", stuck["id"])
        await loop.mailbox.wait_for(lambda each: link_in(each) is not None, 0)
        await until(loop, ("deliveries", "list"), lambda rows: rows[0]["state"] == "delivered")
        again = await command(loop, "deliveries", "retry", stuck["id"], expect=1)
        assert "delivery.not-failed" in again

    _with(work, tmp_path)


def test_a_quarantined_message_is_replayed_or_discarded(tmp_path: Path) -> None:
    async def work(loop: Loop) -> None:
        await exchange(loop.mllp, referral("R-9").replace("19500101", "not-a-date"))
        (row,) = await until(
            loop, ("inbox", "list"), lambda rows: [r for r in rows if r["state"] == "quarantined"]
        )
        await command(loop, "inbox", "replay", row["id"])
        (row,) = await until(
            loop, ("inbox", "list"), lambda rows: [r for r in rows if r["state"] == "quarantined"]
        )
        assert row["fix"]
        told = await command(loop, "deliveries", "list")
        assert [each["event"] for each in told] == ["error-answer"]  # its sender hears of it once
        said = await command(loop, "inbox", "discard", row["id"], "--reason", " ", expect=2)
        assert "say why" in said
        await command(loop, "inbox", "discard", row["id"], "--reason", "sent again by the clinic")
        (row,) = await command(loop, "inbox", "list")
        assert row["state"] == "discarded"
        again = await command(loop, "inbox", "replay", row["id"], expect=1)
        assert "inbox.not-quarantined" in again

    _with(work, tmp_path)


def test_all_that_is_stuck_at_a_site_is_dealt_with_at_once(tmp_path: Path) -> None:
    async def work(loop: Loop) -> None:
        bad = [referral(f"R-{n}").replace("19500101", "not-a-date") for n in range(3)]
        await exchange(loop.mllp, *bad)
        listed = ("inbox", "list", "--state", "quarantined", "--site", "clinic")
        rows = await until(loop, listed, lambda rows: len(rows) == 3)
        assert await command(loop, "inbox", "list", "--site", "agency") == []

        both = [row["id"] for row in rows[:2]]
        said = await command(loop, "inbox", "replay", *both, "nonsense", expect=1)
        assert "inbox.unknown" in said
        assert len(await command(loop, *listed)) == 3  # all of them, or none
        again = await command(loop, "inbox", "replay", *both)
        assert [row["id"] for row in again] == both
        await until(loop, listed, lambda rows: len(rows) == 3)
        again = await command(loop, "inbox", "replay", "--site", "clinic")
        assert [row["id"] for row in again] == [row["id"] for row in rows]
        await command(loop, "inbox", "replay", expect=2)
        await command(loop, "inbox", "replay", *both, "--site", "clinic", expect=2)
        said = await command(loop, "deliveries", "retry", "--site", "nobody", expect=3)
        assert "site.unknown" in said
        assert await command(loop, "deliveries", "retry", "--site", "clinic") == []
        assert await command(loop, "deliveries", "list", "--state", "dead") == []

    _with(work, tmp_path)


def _with(work: Any, folder: Path) -> None:
    async def run() -> None:
        loop = Loop(folder)
        await loop.open()
        try:
            await work(loop)
        finally:
            await loop.close()

    asyncio.run(run())
