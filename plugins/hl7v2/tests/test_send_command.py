"""`adapter hl7v2 send` against a real MLLP server of another maker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hl7.mllp import start_hl7_server

from adapter.plugin import AdapterError, DataError, TransientError
from adapter_hl7v2.commands import send

pytestmark = pytest.mark.network


class Emr:
    """Answers every message with one code."""

    def __init__(self) -> None:
        self.code = "AA"
        self.received: list[str] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()

    async def _take(self, reader: Any, writer: Any) -> None:
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                self.received.append(str(message))
                writer.writemessage(message.create_ack(self.code))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def _serve(self, over: asyncio.Event) -> None:
        server = await start_hl7_server(self._take, host="127.0.0.1", port=0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        async with server:
            await over.wait()
        await asyncio.sleep(0.05)

    def run(self, over: asyncio.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(over))
        self._loop.close()

    def stop(self, over: asyncio.Event) -> None:
        self._loop.call_soon_threadsafe(over.set)


@pytest.fixture
def emr() -> Iterator[Emr]:
    peer, over = Emr(), asyncio.Event()
    thread = threading.Thread(target=peer.run, args=(over,), daemon=True)
    thread.start()
    assert peer._ready.wait(10)
    yield peer
    peer.stop(over)
    thread.join(10)


def test_every_message_of_a_file_is_sent_and_its_answer_printed(
    emr: Emr,
    tmp_path: Path,
    make_referral: Callable[..., bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "two.hl7"
    file.write_bytes(make_referral("C1") + make_referral("C2"))

    send(f"127.0.0.1:{emr.port}", file)

    assert len(emr.received) == 2
    printed = capsys.readouterr().out
    assert [line for line in printed.splitlines() if line.startswith("MSA|AA|C")]


def test_a_refusal_is_said_and_ends_in_an_error(
    emr: Emr,
    tmp_path: Path,
    make_referral: Callable[..., bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    emr.code = "AE"
    file = tmp_path / "one.hl7"
    file.write_bytes(make_referral("C1"))

    with pytest.raises(DataError) as raised:
        send(f"127.0.0.1:{emr.port}", file)

    assert raised.value.code == "hl7v2.refused"
    shown = capsys.readouterr()
    assert "MSA|AE" in shown.out
    assert "answered AE" in shown.err


@pytest.mark.parametrize(
    ("address", "code"),
    [("nowhere", "hl7v2.address"), ("emr.example.org:2575", "hl7v2.plain")],
)
def test_an_address_that_cannot_be_used_is_refused_before_anything_is_sent(
    address: str, code: str, tmp_path: Path
) -> None:
    with pytest.raises(AdapterError) as raised:
        send(address, tmp_path / "none.hl7")
    assert raised.value.code == code


def test_nobody_there_and_no_file_are_told_apart(
    emr: Emr, tmp_path: Path, make_referral: Callable[..., bytes]
) -> None:
    with pytest.raises(DataError):
        send(f"127.0.0.1:{emr.port}", tmp_path / "none.hl7")
    file = tmp_path / "one.hl7"
    file.write_bytes(make_referral("C1"))
    with pytest.raises(TransientError):
        send("127.0.0.1:1", file)
