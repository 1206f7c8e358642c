"""Everything that a sender may do wrong: a clear answer, nothing lost, and the listener alive."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.loop.harness import Loop, referral

pytestmark = pytest.mark.network

START, END = b"\x0b", b"\x1c\r"


class Line:
    """A plain socket that speaks MLLP, so that anything at all can be sent."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self.address = (host, int(port))

    async def send(self, *packets: bytes, pause: float = 0.0, answers: int = 1) -> list[str]:
        """Send packets as they are, and read so many answers; fewer if the peer closes."""
        reader, writer = await asyncio.open_connection(*self.address, limit=2**24)
        try:
            for packet in packets:
                writer.write(packet)
                await writer.drain()
                await asyncio.sleep(pause)
            return [await self._answer(reader) for _ in range(answers)]
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> str:
        frame = await asyncio.wait_for(reader.readuntil(END), 30)
        return frame[frame.rindex(START) + 1 : -len(END)].decode("utf-8", "replace")


def framed(message: str | bytes) -> bytes:
    raw = message.encode() if isinstance(message, str) else message
    return START + raw + END


def code(answer: str) -> str:
    """MSA-1 of an answer."""
    return next(line for line in answer.split("\r") if line.startswith("MSA|")).split("|")[1]


def says_why(answer: str) -> bool:
    return any(line.startswith("ERR|") for line in answer.split("\r"))


async def listed(loop: Loop) -> list[dict[str, Any]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapter.cli", "inbox", "list", "--json", "-c", str(loop.config),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, _ = await process.communicate()
    assert process.returncode == 0
    rows: list[dict[str, Any]] = json.loads(out)
    return rows


def test_every_bad_input_is_answered_and_kept_and_the_listener_lives(tmp_path: Path) -> None:
    asyncio.run(_all(tmp_path))


async def _all(folder: Path) -> None:
    loop = Loop(folder)
    await loop.open()
    try:
        line = Line(loop.mllp)
        await _refused(line)
        await _accepted(line)
        await _copies(line)
        await _frames(line)
        await _masses(line)
        (alive,) = await line.send(framed(referral("LAST")))
        assert code(alive) == "AA"
        await _visible(loop)
        assert "Traceback" not in (folder / "service.log").read_text()
    finally:
        await loop.close()


async def _refused(line: Line) -> None:
    good = referral("BAD")
    cases = {
        "not HL7 at all": b"hello",
        "no control id": good.replace("|BAD|T|", "||T|", 1).encode(),
        "no PID": "\r".join(s for s in good.split("\r") if not s.startswith("PID")).encode(),
        "an unknown message type": good.replace("REF^I12^REF_I12", "ZZZ^Z99", 1).encode(),
        "a lying charset": good.replace("|T|2.5.1", "|T|2.5.1||||||UNICODE UTF-8", 1)
        .replace("lonely", "isol\u00e9e")
        .encode("latin-1"),
    }
    for name, raw in cases.items():
        (answer,) = await line.send(framed(raw))
        assert code(answer) in ("AE", "AR"), name
        assert says_why(answer), name
        assert "Synthetic" not in answer, name


async def _accepted(line: Line) -> None:
    good = referral("X")
    cases = {
        "LF": good.replace("\r", "\n").replace("|X|T|", "|LF|T|", 1),
        "CRLF": good.replace("\r", "\r\n").replace("|X|T|", "|CRLF|T|", 1),
        "STRUCT": good.replace("REF^I12^REF_I12", "REF^I12", 1).replace("|X|T|", "|STRUCT|T|", 1),
        "IDTYPE": good.replace("^MR|", "^QQQ|", 1).replace("|X|T|", "|IDTYPE|T|", 1),
        "AHEAD": good.replace("20260302", "20990302").replace("|X|T|", "|AHEAD|T|", 1),
    }
    for name, message in cases.items():
        (answer,) = await line.send(framed(message))
        assert code(answer) == "AA", (name, answer)
        assert f"|AA|{name}" in answer


async def _copies(line: Line) -> None:
    first, again = await line.send(framed(referral("COPY")), framed(referral("COPY")), answers=2)
    assert first == again
    (other,) = await line.send(framed(referral("COPY", text="something else")))
    assert code(other) == "AE"
    assert says_why(other)


async def _frames(line: Line) -> None:
    whole = framed(referral("CUT"))
    half = len(whole) // 2
    (answer,) = await line.send(whole[:half], whole[half:], pause=0.1)
    assert code(answer) == "AA"

    two = await line.send(framed(referral("TWO-1")) + framed(referral("TWO-2")), answers=2)
    assert ["|AA|TWO-1" in two[0], "|AA|TWO-2" in two[1]] == [True, True]


async def _masses(line: Line) -> None:
    for raw in (b"\x01nonsense" * (10 * 2**20 // 9), b"MSH|^~\\&|" + b"^~\\&|" * (9 * 2**20 // 5)):
        try:
            (answer,) = await line.send(framed(raw))
        except (asyncio.IncompleteReadError, ConnectionError):
            continue  # refused by closing the connection: nothing was accepted
        assert code(answer) in ("AE", "AR")


async def _visible(loop: Loop) -> None:
    for _ in range(100):
        rows = await listed(loop)
        if all(row["state"] != "accepted" or row["referral"] for row in rows):
            break
        await asyncio.sleep(0.2)
    accepted = {row["key"].rsplit("|", 1)[-1] for row in rows if row["state"] == "accepted"}
    assert {
        "LF",
        "CRLF",
        "STRUCT",
        "IDTYPE",
        "AHEAD",
        "COPY",
        "CUT",
        "TWO-1",
        "TWO-2",
        "LAST",
    } <= accepted
    refused = [row for row in rows if row["state"] == "refused"]
    assert len(refused) >= 5
    assert all(row["error"] and row["fix"] for row in refused)
