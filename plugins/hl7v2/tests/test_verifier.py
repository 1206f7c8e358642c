"""hl7apy in its worker: what it holds back, what it reports, and what its death costs: nothing."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.plugin import DataError, Outbound, TransientError
from adapter.plugin.formats import Finding
from adapter_hl7v2 import verifier
from adapter_hl7v2.verifier import MOST_WAITING, Verifier, shape_of

GOOD = (
    b"MSH|^~\\&|A|B|C|D|20260115||REF^I12^REF_I12|%d|P|2.5.1\rRF1|P|R|||O|R-1^X\r"
    b"PRD|RP|Clinician^Synthetic\rPID|1||9999999999^^^ON^JHN||Synthetic^Test\rNTE|1||lonely\r"
)
BAD = GOOD.replace(b"|R-1^X", b"")


def outbound(body: bytes, **more: Any) -> Outbound:
    created = datetime(2026, 1, 15, tzinfo=UTC)
    facts = {"id": "0", "event": "request", "kind": "REF^I12", "referral": "r"} | more
    return Outbound(created=created, body=body, **facts)


def deliver(system: Any, message: Outbound) -> None:
    async def run() -> None:
        await system.open()
        try:
            await system.deliver(message)
        finally:
            await system.close()

    asyncio.run(run())


@pytest.fixture
def said(context: Any) -> list[str]:
    """What hl7apy is asked; it is asked here, in the test's process."""
    asked: list[bytes] = []

    def opinion(function: Callable[..., Any], raw: bytes) -> Any:
        asked.append(raw)
        return function(raw)

    context.opinion = opinion
    return asked  # type: ignore[return-value]


def test_a_message_that_lacks_what_is_required_is_held_back_with_the_reason(
    make_system: Any, context: Any, said: Any
) -> None:
    system = make_system(context, deliver_to="127.0.0.1:1")
    with pytest.raises(DataError) as held:
        deliver(system, outbound(BAD % 1))
    assert held.value.code == "hl7v2.not-conformant"
    assert "RF1_6" in held.value.message
    assert "9999999999" not in f"{held.value.message}{context.log.lines}"
    assert "message.structure-outbound" in str(context.log.lines)


@pytest.mark.network
@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({"verify_outbound": False}, {}),
        ({}, {"attempt": 2}),
        ({}, {"event": "error-answer"}),
    ],
)
def test_it_goes_out_when_switched_off_let_go_by_a_person_or_an_answer_to_the_unreadable(
    make_system: Any, context: Any, said: Any, settings: Any, more: Any
) -> None:
    system = make_system(context, deliver_to="127.0.0.1:1", **settings)
    with pytest.raises(TransientError):  # nobody listens there: it was sent
        deliver(system, outbound(BAD % 1, **more))
    assert said == []


@pytest.mark.network
def test_a_good_message_goes_out(make_system: Any, context: Any, said: Any) -> None:
    system = make_system(context, deliver_to="127.0.0.1:1")
    with pytest.raises(TransientError):
        deliver(system, outbound(GOOD % 1))
    assert len(said) == 1


def test_what_came_is_acknowledged_and_then_reported(
    make_system: Any, context: Any, said: Any
) -> None:
    async def run() -> None:
        system = make_system(context, port=0)
        await system.open()
        for number in range(3):
            answer = await system.handle(BAD % number)
            assert b"MSA|AA" in answer
        assert said == []
        await system._reviewer.settled()
        await system.close()

    asyncio.run(run())
    assert len(said) == 1  # one shape
    assert str(context.log.lines).count("message.structure-inbound") == 1


def test_a_shape_is_looked_at_once_and_still_holds_back(context: Any, said: Any) -> None:
    async def run() -> None:
        shared = Verifier()
        shared.enlist(context)
        await asyncio.gather(*(shared.ask(GOOD % n) for n in range(5)))
        for number in range(3):
            with pytest.raises(DataError):
                await shared.hold_back(BAD % number, context.log, "REF^I12")

    asyncio.run(run())
    assert len(said) == 2


@given(st.integers(0, 10**9), st.text("abcdé ", min_size=1, max_size=30))
def test_words_and_ids_do_not_change_a_shape(number: int, words: str) -> None:
    changed = GOOD.replace(b"lonely", words.encode()) % number
    assert shape_of(changed) == shape_of(GOOD % 7)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"|R-1^X", b"|R-1"),
        (b"|R-1^X", b""),
        (b"2.5.1", b"2.6"),
        (b"REF^I12", b"REF^I13"),
        (b"NTE|1||lonely\r", b""),
        (b"lonely", b"lonely~sad"),
        (b"NTE|1||lonely", b"OBX|1|ST|a^b||lonely"),
        (b"\r", b"\r\n"),
    ],
)
def test_structure_changes_a_shape(old: bytes, new: bytes) -> None:
    same = (old, new) == (b"\r", b"\r\n")
    assert (
        shape_of(GOOD % 1) == shape_of(GOOD.replace(old, new, 1 if not same else -1) % 1)
    ) is same


def test_the_type_of_a_value_is_part_of_a_shape() -> None:
    text = GOOD % 1 + b"OBR|1||2|X\rOBX|1|%s|a^b||5\r"
    assert shape_of(text % b"NM") != shape_of(text % b"ST")


@pytest.mark.parametrize(
    "fault", [RuntimeError("died"), OSError("no process"), TransientError("x", "y")]
)
def test_a_worker_that_fails_holds_nothing_back_and_is_asked_again(
    context: Any, fault: Exception
) -> None:
    answers: list[Any] = [fault, []]

    def opinion(_: Any, raw: bytes) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def run() -> None:
        context.opinion = opinion
        shared = Verifier()
        shared.enlist(context)
        await shared.hold_back(GOOD % 1, context.log, "REF^I12")
        assert await shared.ask(GOOD % 1) == ([], True)
        assert await shared.ask(GOOD % 1) == ((), False)

    asyncio.run(run())


def test_it_is_given_up_on_after_its_time(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(function: Any, *args: Any) -> Any:
        await asyncio.sleep(60)

    monkeypatch.setattr(verifier, "LIMIT_SECONDS", 0.02)
    monkeypatch.setattr(context, "offload", never, raising=False)

    async def run() -> None:
        shared = Verifier()
        shared.enlist(context)
        found, _ = await shared.ask(GOOD % 1)
        assert [each.severity for each in found] == ["information"]

    asyncio.run(run())


def test_a_delivery_does_not_wait_long_and_the_opinion_counts_for_the_next(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = asyncio.Event()

    async def slow(function: Any, raw: bytes) -> Any:
        await gate.wait()
        return [Finding("error", "", "Missing required child RF1.RF1_6")]

    monkeypatch.setattr(verifier, "PATIENCE_SECONDS", 0.02)
    context.offload = slow

    async def run() -> None:
        shared = Verifier()
        shared.enlist(context)
        await shared.hold_back(BAD % 1, context.log, "REF^I12")
        gate.set()
        await asyncio.gather(*shared._late)
        with pytest.raises(DataError):
            await shared.hold_back(BAD % 2, context.log, "REF^I12")

    asyncio.run(run())
    assert "not-looked-at" in str(context.log.lines)


def test_a_flood_of_new_shapes_does_not_queue_without_end(context: Any) -> None:
    async def slow(function: Any, *args: Any) -> Any:
        await asyncio.sleep(0)
        return []

    context.offload = slow

    async def run() -> None:
        shared = Verifier()
        shared.enlist(context)
        shapes = [GOOD % 1 + b"NTE|1\r" * n for n in range(MOST_WAITING + 10)]
        found = await asyncio.gather(*(shared.ask(raw) for raw in shapes))
        assert sum("too many" in str(each) for each, _ in found) == 10

    asyncio.run(run())


def test_the_next_site_takes_over_when_the_first_closes(context: Any) -> None:
    async def run() -> None:
        shared = Verifier()
        found, _ = await shared.ask(GOOD % 1)
        assert found == [Finding("information", "", "hl7apy was not asked: no site is open")]
        asked: list[str] = []

        def asking(name: str) -> Callable[..., list[Finding]]:
            def opinion(function: Any, raw: bytes) -> list[Finding]:
                asked.append(name)
                return []

            return opinion

        first, second = object.__new__(type(context)), object.__new__(type(context))
        for name, site in (("first", first), ("second", second)):
            site.opinion = asking(name)
            shared.enlist(site)
        await shared.ask(GOOD % 1)
        shared.leave(first)
        await shared.ask(GOOD % 1 + b"NTE|2\r")
        assert asked == ["first", "second"]

    asyncio.run(run())


def test_in_a_real_worker_hl7apy_answers_and_gives_way() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        found = pool.submit(verifier._in_worker, BAD % 1).result(timeout=60)
        assert any("RF1_6" in each.message for each in found)
        assert pool.submit(os.nice, 0).result() > os.nice(0)
