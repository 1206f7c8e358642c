"""From an EMR of another maker to an agency with a browser, and back, over real sockets."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import hl7
import httpx
import pytest

from adapter.cli.demonstration.agency import Visitor, link_from
from tests.integration.loop.harness import Loop, exchange, referral

pytestmark = pytest.mark.network


OUTCOME = {
    "q.sessions-attended": "8",
    "q.what-mattered-met": "yes",
    "q.wellbeing-change": "a-little-better",
    "q.enrolment": "enrolled",
    "q.summary": "Eight walks and two new friends.",
}


def with_loop(work: Callable[[Loop], Coroutine[Any, Any, None]], folder: Path) -> None:
    async def run() -> None:
        loop = Loop(folder)
        await loop.open()
        try:
            await work(loop)
        finally:
            await loop.close()

    asyncio.run(run())


def field(message: str, name: str, number: int) -> str:
    parsed = hl7.parse(message)
    return str(parsed.segment(name)[number])


def test_accepted_completed_and_back_in_the_emr(tmp_path: Path) -> None:
    async def work(loop: Loop) -> None:
        (answer,) = await exchange(loop.mllp, referral("R-1"))
        assert str(answer.segment("MSA")[1]) == "AA"
        assert str(answer.segment("MSA")[2]) == "R-1"

        visitor = Visitor(loop.mailbox)
        await visitor.open(await link_from(loop.mailbox, 0))
        await visitor.do("accept", {})
        (accepted,) = await loop.emr.wait_for(1)
        assert accepted.startswith("MSH|")
        assert field(accepted, "MSH", 9).startswith("RRI^I12")
        assert field(accepted, "RF1", 1) == "A"
        assert "R-1" in field(accepted, "RF1", 6)

        await visitor.do("complete", OUTCOME)
        _, outcome = await loop.emr.wait_for(2)
        assert field(outcome, "MSH", 9).startswith("ORU^R01")
        assert "Eight walks and two new friends." in outcome
        assert "|a-little-better^" in outcome
        await visitor.close()

        async with httpx.AsyncClient(base_url=loop.ready["fhir"]) as fhir:
            task = (await fhir.get("/Task")).json()["entry"][0]["resource"]
            assert task["status"] == "completed"
            assert task["output"]
            request = await fhir.get("/" + task["focus"]["reference"])
            assert request.json()["status"] == "completed"

    with_loop(work, tmp_path)


def test_a_copy_of_a_message_gets_the_first_answer_and_no_second_effect(tmp_path: Path) -> None:
    async def work(loop: Loop) -> None:
        first, second = await exchange(loop.mllp, referral("R-1"), referral("R-1"))
        assert str(first) == str(second)

        (third,) = await exchange(loop.mllp, referral("R-1", text="something else"))
        assert str(third.segment("MSA")[1]) == "AE"
        await link_from(loop.mailbox, 0)
        await asyncio.sleep(0.5)
        assert len(loop.mailbox.letters) == 1

    with_loop(work, tmp_path)


def test_a_cancel_reaches_the_agency_and_is_confirmed(tmp_path: Path) -> None:
    async def work(loop: Loop) -> None:
        cancel = referral("R-1", control="R-1-cancel").replace("REF^I12", "REF^I14", 1)
        answers = await exchange(loop.mllp, referral("R-1"), cancel)
        assert [str(each.segment("MSA")[1]) for each in answers] == ["AA", "AA"]

        (confirmed,) = await loop.emr.wait_for(1)
        assert field(confirmed, "MSH", 9).startswith("RRI^I14")
        assert field(confirmed, "MSA", 1) == "AA"
        assert field(confirmed, "MSA", 2) == "R-1-cancel"

        async with httpx.AsyncClient(base_url=loop.ready["fhir"]) as fhir:
            task = (await fhir.get("/Task")).json()["entry"][0]["resource"]
            assert task["status"] == "cancelled"

    with_loop(work, tmp_path)


def test_a_message_that_cannot_be_mapped_is_told_and_kept(tmp_path: Path) -> None:
    async def work(loop: Loop) -> None:
        broken = referral("R-9").replace("19500101", "not-a-date")
        (answer,) = await exchange(loop.mllp, broken)
        assert str(answer.segment("MSA")[1]) == "AA"

        (told,) = await loop.emr.wait_for(1)
        assert field(told, "MSA", 1) == "AE"
        assert field(told, "MSA", 2) == "R-9"
        assert "not-a-date" not in told
        listed = await _command(loop, "inbox", "list")
        assert [each["state"] for each in listed] == ["quarantined"]
        assert listed[0]["fix"]

    with_loop(work, tmp_path)


def test_a_message_that_is_refused_when_half_of_it_is_written_leaves_nothing(
    tmp_path: Path,
) -> None:
    async def work(loop: Loop) -> None:
        # The text maps, and is no FHIR string: the projection refuses what the case has already.
        (answer,) = await exchange(loop.mllp, referral("R-9", text="lonely\0since moving"))
        assert str(answer.segment("MSA")[1]) == "AA"

        (told,) = await loop.emr.wait_for(1)
        assert field(told, "MSA", 1) == "AE"
        (listed,) = await _command(loop, "inbox", "list")
        assert (listed["state"], listed["code"]) == ("quarantined", "fhir.not-conformant")
        assert await _command(loop, "referrals", "list") == []
        assert loop.mailbox.letters == []

        (answer,) = await exchange(loop.mllp, referral("R-9", control="R-9 corrected"))
        assert str(answer.segment("MSA")[1]) == "AA"
        await link_from(loop.mailbox, 0)
        (kept,) = await _command(loop, "referrals", "list")
        assert kept["status"] == "active"

    with_loop(work, tmp_path)


async def _command(loop: Loop, *words: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapter.cli", *words, "--config", str(loop.config), "--json",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)
