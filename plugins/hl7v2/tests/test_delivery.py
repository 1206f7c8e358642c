"""What is delivered, and what the peer's answer means."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from adapter.plugin import (
    AdapterError,
    ConfigError,
    DataError,
    Outbound,
    SystemFault,
    TransientError,
)
from adapter_hl7v2.acknowledge import acknowledge
from adapter_hl7v2.framing import Frame
from adapter_hl7v2.message import Message
from adapter_hl7v2.mllp import Listening, MllpServer
from adapter_hl7v2.problems import CONDITIONS, Problem
from adapter_hl7v2.replies import judge_reply

NOW = datetime(2026, 1, 15, tzinfo=UTC)


def reply(control: str = "C1", code: str = "AA", *errors: str) -> bytes:
    segments = [f"MSH|^~\\&|A|B|C|D|1||ACK|R1|P|2.5.1\rMSA|{code}|{control}"]
    segments += [f"ERR||PID^1^3|{each}|E|||SECRET|SECRET" for each in errors]
    return ("\r".join(segments) + "\r").encode()


@pytest.mark.parametrize("code", ["AA", "CA"])
def test_an_acceptance_is_a_delivery(code: str) -> None:
    judge_reply(reply("C1", code), control_id="C1", again=False)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (reply("C1", "AE", "101"), DataError, "hl7v2.refused"),
        (reply("C1", "AR"), DataError, "hl7v2.refused"),
        (reply("C1", "CE", "103", "207"), DataError, "hl7v2.refused"),
        (reply("C1", "CR", "205"), DataError, "hl7v2.refused"),
        (reply("C1", "AR", "207"), TransientError, "hl7v2.peer-busy"),
        (reply("C1", "AE", "206"), TransientError, "hl7v2.peer-busy"),
        (reply("C9"), SystemFault, "hl7v2.reply-of-another"),
        (reply("C1", "OK"), SystemFault, "hl7v2.reply-unreadable"),
        (b"MSH|^~\\&|A|B|C|D|1||ACK|R1|P|2.5.1\r", SystemFault, "hl7v2.reply-unreadable"),
        (b"HTTP/1.1 200 OK", SystemFault, "hl7v2.reply-unreadable"),
        (b"", SystemFault, "hl7v2.reply-unreadable"),
    ],
)
def test_every_other_answer_has_its_class(
    answer: bytes, kind: type[AdapterError], code: str
) -> None:
    with pytest.raises(kind) as caught:
        judge_reply(answer, control_id="C1", again=False)
    assert caught.value.code == code
    assert "SECRET" not in f"{caught.value}{caught.value.fix}{caught.value.detail}"


def test_a_message_without_a_control_id_is_taken_whatever_the_answer_names() -> None:
    judge_reply(reply("made-by-the-peer", "AA"), control_id=None, again=False)
    with pytest.raises(DataError):
        judge_reply(reply("made-by-the-peer", "AE", "101"), control_id=None, again=False)


def test_a_duplicate_is_a_delivery_only_when_it_was_sent_before() -> None:
    judge_reply(reply("C1", "AE", "205"), control_id="C1", again=True)
    with pytest.raises(DataError):
        judge_reply(reply("C1", "AE", "205"), control_id="C1", again=False)


@pytest.mark.parametrize("version", ["2.3", "2.5.1"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_reason_is_read_from_err_of_either_form(
    version: str, condition: str, make_referral: Callable[..., bytes]
) -> None:
    sent = Message.parse(make_referral(version=version))
    problem = Problem("x", condition, "m", "f", "PID-3")
    answer = acknowledge(sent, control_id="R", time=NOW, problems=(problem,))
    with pytest.raises(AdapterError) as caught:
        judge_reply(answer, control_id="C1", again=False)
    assert f"{condition} {CONDITIONS[condition]}" in caught.value.message


@pytest.mark.network
def test_a_delivery_goes_over_the_wire_and_its_answer_comes_back(
    make_system: Any, context: Any, make_referral: Callable[..., bytes]
) -> None:
    async def run() -> None:
        answers = [reply("C1"), reply("C1", "AE", "101"), reply("C7"), reply("C1")]
        seen: list[bytes] = []

        async def peer(data: bytes) -> bytes:
            seen.append(data)
            return answers[len(seen) - 1]

        async def refuse(frame: Frame) -> bytes:
            raise AssertionError

        running = MllpServer(peer, refuse, Listening(), context.log)
        system = make_system(context, deliver_to=await running.start(), verify_outbound=False)
        await system.open()
        body = make_referral()
        assert (await system.deliver(outbound(body))).response == answers[0]
        with pytest.raises(DataError):
            await system.deliver(outbound(body))
        with pytest.raises(SystemFault):
            await system.deliver(outbound(body))
        await system.deliver(outbound(body))
        assert seen == [body] * 4
        [check] = await system.check()
        assert check.state == "ok"
        await running.stop()
        [check] = await system.check()
        assert (check.state, bool(check.fix)) == ("fail", True)
        await system.close()

    asyncio.run(run())


def test_a_site_without_destination_says_so(
    make_system: Any, context: Any, make_referral: Callable[..., bytes]
) -> None:
    with pytest.raises(ConfigError):
        asyncio.run(make_system(context, port=0).deliver(outbound(make_referral())))


def test_a_site_that_does_nothing_is_warned_of(make_system: Any, context: Any) -> None:
    [check] = asyncio.run(make_system(context).check())
    assert check.state == "warn"


@pytest.mark.parametrize(
    "settings",
    [
        {"port": 2575, "host": "0.0.0.0"},
        {"deliver_to": "emr.example.org:2575"},
        {"deliver_to": "nowhere"},
        {"deliver_to": ":2575"},
        {"deliver_to": "a:0"},
        {"deliver_to": "127.0.0.1:99999"},
        {"dialect": "klingon"},
        {"charset": "klingon"},
        {"tls_certificate": "x"},
        {"deliver_key": "x"},
        {"tls_client_ca": "x"},
        {"port": 70000},
        {"idle_timeout": 0},
        {"unknown": 1},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    settings: dict[str, Any], make_system: Any, context: Any
) -> None:
    with pytest.raises(ValidationError):
        make_system(context, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"port": 0, "host": "::1"},
        {"port": 0, "host": "localhost", "deliver_to": "[::1]:2575"},
        {"port": 2575, "host": "0.0.0.0", "allow_plain": True},
        {"deliver_to": "emr.example.org:2575", "deliver_tls": True},
        {"dialect": "oscar-esend", "charset": "8859/1"},
    ],
)
def test_settings_that_can_be_meant_are_taken(
    settings: dict[str, Any], make_system: Any, context: Any
) -> None:
    assert make_system(context, **settings).config.model_dump(include=set(settings)) == settings


def outbound(body: bytes, attempt: int = 1) -> Outbound:
    return Outbound(
        id="0",
        event="answer",
        kind="RRI^I12",
        referral="r",
        created=NOW,
        attempt=attempt,
        body=body,
    )
