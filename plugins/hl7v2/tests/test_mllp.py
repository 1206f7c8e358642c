"""Real sockets on loopback: peers of other makers, pipelining, limits, stopping, TLS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import hl7
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hl7.client import MLLPClient as OtherClient
from hl7.mllp import open_hl7_connection

from adapter.plugin import AuthError, ConfigError, SystemFault, TransientError
from adapter_hl7v2 import tls
from adapter_hl7v2.framing import Deframer, Frame, frame
from adapter_hl7v2.mllp import Listening, MllpServer
from adapter_hl7v2.mllp_client import Destination, MllpClient
from adapter_hl7v2.system import Hl7v2

pytestmark = pytest.mark.network


class Silent:
    def __init__(self) -> None:
        self.events: list[str] = []

    def info(self, event: str, **values: Any) -> None:
        self.events.append(event)

    warning = error = info


async def echo(data: bytes) -> bytes:
    return data


async def fault(frame: Frame) -> bytes:
    return f"fault:{frame.fault}".encode()


def server(handle: Any = echo, **settings: Any) -> MllpServer:
    return MllpServer(handle, fault, Listening(**settings), Silent())


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


async def listening(system: Hl7v2) -> tuple[Any, int]:
    await system.open()
    [listener] = system.endpoints()
    return listener, port_of(await listener.start())


async def talk(port: int, *packets: bytes, replies: int, pause: float = 0.0) -> list[bytes]:
    """Write packets and read so many framed replies, or fewer if the peer closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    deframer = Deframer(2**20)
    try:
        for packet in packets:
            writer.write(packet)
            await writer.drain()
            await asyncio.sleep(pause)
        if not replies:
            writer.write_eof()
        found: list[bytes] = []
        while len(found) < replies:
            answer = await reader.read(2**20)
            if not answer:
                break
            found += [each.data for each in deframer.feed(answer)]
        return found
    finally:
        writer.close()


def test_a_synchronous_client_of_another_maker_is_answered(
    system: Hl7v2, context: Any, make_referral: Callable[..., bytes]
) -> None:
    async def run() -> list[bytes]:
        listener, port = await listening(system)

        def speak() -> list[bytes]:
            with OtherClient("127.0.0.1", port) as client:
                return [client.send_message(make_referral(id=f"C{n}")) for n in range(5)]

        answers = await asyncio.to_thread(speak)
        await listener.stop()
        return answers

    answers = asyncio.run(run())
    for number, answer in enumerate(answers):
        ack = hl7.parse(answer.strip(b"\x0b\x1c\r").decode())
        assert (str(ack.segment("MSA")[1]), str(ack.segment("MSA")[2])) == ("AA", f"C{number}")
    assert [m.key for m in context.accepted] == [f"C{n}" for n in range(5)]


def test_an_asynchronous_client_of_another_maker_is_answered(
    system: Hl7v2, context: Any, make_referral: Callable[..., bytes]
) -> None:
    async def run() -> list[str]:
        listener, port = await listening(system)
        reader, writer = await open_hl7_connection("127.0.0.1", port)
        codes = []
        for number in range(5):
            writer.writemessage(hl7.parse(make_referral(id=f"C{number}").decode()))
            await writer.drain()
            codes.append(str((await reader.readmessage()).segment("MSA")[1]))
        writer.close()
        await listener.stop()
        return codes

    assert asyncio.run(run()) == ["AA"] * 5
    assert len(context.accepted) == 5


def test_nothing_is_acknowledged_before_it_is_durable(
    system: Hl7v2, context: Any, make_referral: Callable[..., bytes]
) -> None:
    async def run() -> None:
        context.gate = asyncio.Event()
        listener, port = await listening(system)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(make_referral()))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.1)
        context.gate.set()
        assert await asyncio.wait_for(reader.read(1), 5) == b"\x0b"
        writer.close()
        await listener.stop()

    asyncio.run(run())


def test_pipelined_messages_are_answered_in_order_however_they_are_cut() -> None:
    async def run() -> None:
        running = server()
        port = port_of(await running.start())
        stream = b"".join(frame(b"MSH|%d" % n) for n in range(500))
        expected = [b"MSH|%d" % n for n in range(500)]
        assert await talk(port, stream, replies=500) == expected
        packets = [stream[i : i + 7] for i in range(0, len(stream), 7)]
        assert await talk(port, *packets, replies=500) == expected
        await running.stop()

    asyncio.run(run())


def test_the_listener_survives_everything_that_is_thrown_at_it(
    system: Hl7v2, context: Any, make_referral: Callable[..., bytes]
) -> None:
    async def run() -> None:
        listener, port = await listening(system)
        whole = frame(make_referral())
        throws: list[tuple[bytes, int]] = [
            (b"", 0),
            (b"\x00\xff" * 50, 0),
            (b"GET / HTTP/1.1\r\n\r\n", 0),
            (whole[: len(whole) // 2], 0),
            (frame(b"\xf0" * 10_000_000), 1),
            (frame(make_referral(PID="PID|1" + "|" * 9_000_000)), 1),
            (frame(b"MSH|" + b"x" * 11_000_000), 1),
            (frame(make_referral(NTE="NTE|1||\xe9").replace(b"\xc3", b"")), 1),
            (whole[:-2] + frame(make_referral(id="C2")), 2),
        ]
        for packet, replies in throws:
            answers = await talk(port, packet, replies=replies)
            assert len(answers) == replies, packet[:20]
        [answer] = await talk(port, frame(make_referral(id="alive")), replies=1)
        assert b"MSA|AA|alive" in answer
        await listener.stop()

    asyncio.run(run())
    assert len(context.refused) == 6


def test_garbage_without_end_closes_the_connection() -> None:
    async def run() -> None:
        running = server()
        port = port_of(await running.start())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"z" * 200_000)
        with contextlib.suppress(ConnectionResetError):  # bytes that nobody read reset it
            assert await asyncio.wait_for(reader.read(), 5) == b""
        assert running.connections == 0
        writer.close()
        await running.stop()

    asyncio.run(run())


def test_a_frame_that_never_ends_is_answered_and_the_connection_closed() -> None:
    async def run() -> None:
        running = server(frame_timeout=0.1)
        port = port_of(await running.start())
        assert await talk(port, b"\x0bMSH|A", replies=2) == [b"fault:unterminated"]
        await running.stop()

    asyncio.run(run())


def test_a_sender_that_drips_bytes_does_not_get_more_time() -> None:
    async def run() -> None:
        running = server(frame_timeout=0.2)
        port = port_of(await running.start())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = asyncio.get_running_loop().time()
        writer.write(b"\x0b")
        answer = None
        while answer is None and asyncio.get_running_loop().time() - began < 5:
            writer.write(b"x")
            with contextlib.suppress(TimeoutError):
                answer = await asyncio.wait_for(reader.readuntil(b"\x1c\r"), 0.05)
        assert answer == frame(b"fault:unterminated")
        assert asyncio.get_running_loop().time() - began < 3
        writer.close()
        await running.stop()

    asyncio.run(run())


def test_a_peer_that_does_not_take_its_answer_is_let_go() -> None:
    async def run() -> None:
        async def long(data: bytes) -> bytes:
            return b"x" * 20_000_000

        running = server(long, frame_timeout=0.2)
        port = port_of(await running.start())
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(frame(b"MSH|1"))
        for _ in range(100):
            await asyncio.sleep(0.05)
            if running.connections == 0:
                break
        assert running.connections == 0
        writer.close()
        await running.stop()

    asyncio.run(run())


def test_messages_of_a_peer_that_left_are_still_kept(
    system: Hl7v2, context: Any, make_referral: Callable[..., bytes]
) -> None:
    async def run() -> None:
        context.gate = asyncio.Event()
        listener, port = await listening(system)
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(make_referral(id="C1")) + frame(make_referral(id="C2")))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()
        context.gate.set()
        await listener.stop()

    asyncio.run(run())
    assert [m.key for m in context.accepted][:1] == ["C1"]


def test_a_handler_that_fails_costs_one_connection_only() -> None:
    async def run() -> None:
        async def picky(data: bytes) -> bytes:
            if data == b"MSH|bad":
                raise RuntimeError
            return data

        running = server(picky)
        port = port_of(await running.start())
        with contextlib.suppress(ConnectionResetError):
            assert await talk(port, frame(b"MSH|bad"), replies=1) == []
        assert await talk(port, frame(b"MSH|good"), replies=1) == [b"MSH|good"]
        await running.stop()

    asyncio.run(run())


def test_an_idle_connection_is_closed() -> None:
    async def run() -> None:
        running = server(idle_timeout=0.1)
        port = port_of(await running.start())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert running.connections == 0
        writer.close()
        await running.stop()

    asyncio.run(run())


def test_connections_above_the_cap_are_closed_and_the_others_go_on() -> None:
    async def run() -> None:
        running = server(max_connections=1)
        port = port_of(await running.start())
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(frame(b"MSH|1"))
        assert await reader.readuntil(b"\x1c\r") == frame(b"MSH|1")
        assert await talk(port, b"", replies=1) == []
        writer.write(frame(b"MSH|2"))
        assert await reader.readuntil(b"\x1c\r") == frame(b"MSH|2")
        writer.close()
        await running.stop()

    asyncio.run(run())


def test_stopping_finishes_what_is_in_hand_and_takes_nothing_more() -> None:
    async def run() -> None:
        started, gate = asyncio.Event(), asyncio.Event()

        async def slow(data: bytes) -> bytes:
            started.set()
            await gate.wait()
            return data

        running = server(slow)
        port = port_of(await running.start())
        idle = await asyncio.open_connection("127.0.0.1", port)
        busy = asyncio.create_task(talk(port, frame(b"MSH|1") + frame(b"MSH|2"), replies=2))
        await started.wait()
        stopping = asyncio.create_task(running.stop())
        await asyncio.sleep(0.05)
        assert not stopping.done()
        gate.set()
        await stopping
        assert await busy == [b"MSH|1"]
        assert await idle[0].read() == b""
        idle[1].close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(run())


def test_stopping_does_not_wait_forever() -> None:
    async def run() -> None:
        async def never(data: bytes) -> bytes:
            await asyncio.Event().wait()
            return data

        running = server(never, grace=0.1)
        port = port_of(await running.start())
        busy = asyncio.create_task(talk(port, frame(b"MSH|1"), replies=1))
        await asyncio.sleep(0.05)
        await asyncio.wait_for(running.stop(), 5)
        assert await busy == []

    asyncio.run(run())


def test_a_client_keeps_its_connection_and_makes_a_new_one_when_it_was_closed() -> None:
    async def run() -> None:
        running = server()
        port = port_of(await running.start())
        client = MllpClient(Destination(host="127.0.0.1", port=port))
        assert await client.send(b"MSH|1") == b"MSH|1"
        assert await client.send(b"MSH|2") == b"MSH|2"
        assert running.connections == 1
        await running.stop()
        again = MllpServer(echo, fault, Listening(port=port), Silent())
        await again.start()
        await asyncio.sleep(0.05)
        assert await client.send(b"MSH|3") == b"MSH|3"
        assert sorted(await asyncio.gather(*(client.send(b"MSH|%d" % n) for n in range(9)))) == [
            b"MSH|%d" % n for n in range(9)
        ]
        await client.close()
        await again.stop()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("reply", "code", "kind"),
    [
        (None, "hl7v2.no-reply", TransientError),
        (b"", "hl7v2.peer-closed", TransientError),
        (b"\x0bMSH|half", "hl7v2.reply-unreadable", SystemFault),
    ],
)
def test_what_goes_wrong_with_a_peer_has_a_name(
    reply: bytes | None, code: str, kind: type[Exception]
) -> None:
    async def run() -> None:
        async def peer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\x1c\r")
            if reply is None:
                await reader.read()
            else:
                writer.write(reply)
            writer.close()

        listener = await asyncio.start_server(peer, "127.0.0.1", 0)
        port = listener.sockets[0].getsockname()[1]
        client = MllpClient(Destination(host="127.0.0.1", port=port, reply_timeout=0.3))
        with pytest.raises(kind) as caught:
            await client.send(b"MSH|SECRET")
        assert caught.value.code == code  # type: ignore[attr-defined]
        assert "SECRET" not in str(caught.value)
        listener.close()
        await asyncio.sleep(0.02)

    asyncio.run(run())


def test_nobody_there_is_named() -> None:
    async def run() -> None:
        running = server()
        port = port_of(await running.start())
        await running.stop()
        with pytest.raises(TransientError) as caught:
            await MllpClient(Destination(host="127.0.0.1", port=port)).send(b"MSH|1")
        assert caught.value.code == "hl7v2.peer-unreachable"

    asyncio.run(run())


@pytest.fixture(scope="module")
def pem() -> dict[str, tuple[str, str]]:
    """A certificate authority and what it signed, and a stranger."""
    authority = _certificate("Synthetic CA", None)
    return {
        "ca": _text(authority),
        "server": _text(_certificate("localhost", authority)),
        "client": _text(_certificate("clinic", authority)),
        "stranger": _text(_certificate("stranger", None)),
    }


Issued = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _certificate(name: str, issuer: Issued | None) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


def _text(issued: Issued) -> tuple[str, str]:
    certificate, key = issued
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def test_mutual_tls_lets_in_who_has_a_certificate(pem: dict[str, tuple[str, str]]) -> None:
    async def run() -> None:
        context = tls.server_context(*pem["server"], client_ca=pem["ca"][0])
        running = server(tls=context)
        port = port_of(await running.start())

        async def ask(client_tls: ssl.SSLContext, name: str = "localhost") -> bytes:
            client = MllpClient(
                Destination(host="127.0.0.1", port=port, tls=client_tls, server_name=name)
            )
            try:
                return await client.send(b"MSH|1")
            finally:
                await client.close()

        known = tls.client_context(pem["ca"][0], *pem["client"])
        assert await ask(known) == b"MSH|1"
        with pytest.raises(AuthError):
            await ask(known, name="elsewhere")
        with pytest.raises(AuthError):
            await ask(tls.client_context(pem["stranger"][0], *pem["client"]))
        with pytest.raises((AuthError, TransientError)):
            await ask(tls.client_context(pem["ca"][0]))
        with pytest.raises((AuthError, TransientError)):
            await ask(tls.client_context(pem["ca"][0], *pem["stranger"]))
        with pytest.raises(TransientError):
            await MllpClient(Destination(host="127.0.0.1", port=port, reply_timeout=0.5)).send(
                b"MSH|plain"
            )
        assert await ask(known) == b"MSH|1"
        await running.stop()

    asyncio.run(run())


def test_keys_are_read_where_files_cannot_be_kept_in_memory(
    pem: dict[str, tuple[str, str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr("os.memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tls.server_context(*pem["server"])
    assert list(tmp_path.iterdir()) == []


def test_a_certificate_that_is_none_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError):
        tls.server_context("no certificate", "no key")
    with pytest.raises(ConfigError):
        tls.client_context("no authority")
