"""The fake MLLP system answers as HL7 says, and each of its faults is what its name says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import hl7
import pytest
from hl7.mllp import open_hl7_connection

from adapter_conformance.fakes.mllp_server import (
    END,
    FAULTS,
    START,
    MllpServer,
    control_id,
    send,
)

pytestmark = [pytest.mark.anyio, pytest.mark.network]
RAW = b"MSH|^~\\&|EMR|CLINIC|ADAPTER|HUB|20260115120000||REF^I12|M-1|T|2.5.1\rPID|1||9\r"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def server() -> AsyncIterator[MllpServer]:
    async with MllpServer() as made:
        made.slow_seconds = 0.2
        yield made


def acknowledged(answer: bytes) -> list[str]:
    return [str(each) for each in hl7.parse(answer.decode()).segment("MSA")[1:]]


async def test_another_makers_client_is_served_many_times_on_one_connection(
    server: MllpServer,
) -> None:
    reader, writer = await open_hl7_connection("127.0.0.1", server.port)
    for number in range(3):
        writer.writemessage(hl7.parse(RAW.replace(b"M-1", b"M-%d" % number).decode()))
        await writer.drain()
        answer = await reader.readmessage()
        assert acknowledged(str(answer).encode())[:2] == ["AA", f"M-{number}"]
    writer.close()
    assert [control_id(each) for each in server.messages] == ["M-0", "M-1", "M-2"]
    assert server.connections == 1


async def test_refusals_say_code_and_condition_and_keep_nothing(server: MllpServer) -> None:
    server.fail_next("rejected", "refused")
    answers = [await send("127.0.0.1", server.port, RAW) for _ in range(3)]

    assert [acknowledged(each)[:2] for each in answers] == [
        ["AR", "M-1"],
        ["AE", "M-1"],
        ["AA", "M-1"],
    ]
    assert [b"ERR|||207|E" in answers[0], b"ERR|||101|E" in answers[1]] == [True, True]
    assert server.messages == [RAW]


@pytest.mark.parametrize(
    ("fault", "kept"), [("hang-up", 0), ("lost-answer", 1), ("cut-off", 1), ("unframed", 0)]
)
async def test_no_answer_comes_to_its_end(server: MllpServer, fault: str, kept: int) -> None:
    server.fail_next(fault)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)) as raised:
        await send("127.0.0.1", server.port, RAW)

    part = getattr(raised.value, "partial", b"")
    assert {"cut-off": part.startswith(START + b"MSH"), "unframed": part.startswith(b"HTTP")}.get(
        fault, part == b""
    )
    assert len(server.messages) == kept


async def test_silence_is_no_answer_and_no_end(server: MllpServer) -> None:
    server.fail_next("silent")
    with pytest.raises(TimeoutError):
        await send("127.0.0.1", server.port, RAW, patience=0.1)
    assert server.messages == [RAW]


async def test_slow_and_split_are_right_in_the_end(server: MllpServer) -> None:
    server.fail_next("slow", "split")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    slow = await send("127.0.0.1", server.port, RAW)
    assert loop.time() - begun >= server.slow_seconds
    assert slow == await send("127.0.0.1", server.port, RAW)


async def test_answers_that_are_none_to_this_message(server: MllpServer) -> None:
    server.fail_next("nonsense", "other-message")
    assert b"MSA" not in await send("127.0.0.1", server.port, RAW)
    assert acknowledged(await send("127.0.0.1", server.port, RAW))[:2] == ["AA", "not-M-1"]


async def test_a_fault_for_all_begins_and_ends_on_an_open_connection(server: MllpServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    codes = []
    for fault in (None, "rejected", None):
        server.faults.always = fault
        writer.write(START + RAW + END)
        codes.append(acknowledged((await reader.readuntil(END))[1:-2])[0])
    writer.close()
    assert codes == ["AA", "AR", "AA"]
    with pytest.raises(ValueError, match="no fault 'tired'; there are: hang-up, "):
        server.fail_next("tired")


def test_every_fault_is_explained_and_tried_here() -> None:
    here = Path(__file__).read_text("utf-8")
    assert [each for each in FAULTS if f'"{each}"' not in here] == []
    assert all(FAULTS.values())
