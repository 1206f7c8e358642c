"""What is let through by its header alone gets the verdict of a whole check, always."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_hl7v2.acknowledge import acknowledge
from adapter_hl7v2.checks import Policy, check
from adapter_hl7v2.familiar import Acquaintances
from adapter_hl7v2.limits import Limits

NOW = datetime(2026, 1, 15, 10, 30, 0, 123, tzinfo=UTC)
GOOD = (
    b"MSH|^~\\&|CLINIC^1.2^ISO|SITE|ADAPTER|HUB|20260115||REF^I12^REF_I12|C1|T|2.5.1|||AL||||%b\r"
    b"RF1|P|R||||R-1^X\rPRD|RP|Clinician^Synthetic\r"
    b"PID|1||9999999999^^^ON^JHN~7^^^SITE^MR||Synthetic^Test\rNTE|1||lonely since the move\r"
)
PIECES = st.sampled_from(
    [b"\rPID|1||1^^^X^ZZ9\r", b"\rMSH|^~\\&|", b"\n", b"\xc3\xa9", b"\xe9", b"\x80", b"|", b"^",
     b"~", b"\\", b"&", b"PID", b"C1", b"C1'", b"JHN", b"^^^ON^", b"\r", b"MSH", b'""', b"ACK",
     b"2.5.1", b"", b"\x00", b"T", b"P", b"I12", b"\xef\xbb\xbf"]
)  # fmt: skip
POLICIES = [
    Policy(test=True),
    Policy(test=True, dialect="oscar-esend"),
    Policy(test=True, charset="cp1252"),
    Policy(test=True, default_charset="iso8859-1"),
    Policy(),
    Policy(test=True, limits=Limits(size=300)),
    Policy(test=True, limits=Limits(segments=5)),
]


def acquainted(policy: Policy, charset: bytes) -> Acquaintances:
    found = Acquaintances(policy)
    for data in (GOOD % charset, (GOOD % charset).replace(b"|T|", b"|P|")):
        found.learn(data, check(data, policy))
    return found


@given(
    policy=st.sampled_from(POLICIES),
    charset=st.sampled_from([b"", b"UNICODE UTF-8", b"8859/1", b"UNICODE UTF-16", b"8859/1~ASCII"]),
    cuts=st.lists(st.tuples(st.integers(0, 270), st.integers(0, 8), PIECES), max_size=3),
)
def test_who_is_familiar_is_judged_as_a_stranger_is(
    policy: Policy, charset: bytes, cuts: list[tuple[int, int, bytes]]
) -> None:
    data = GOOD % charset
    for at, length, piece in cuts:
        data = data[:at] + piece + data[at + length :]
    found = acquainted(policy, charset).recall(data)
    if found is None:
        return
    known, key = found
    whole = check(data, policy)
    assert whole.problems == ()
    assert (key, known.kind, known.test) == (whole.key, whole.kind, whole.test)
    assert known.dialect == whole.dialect.name
    said = acknowledge(whole.message, control_id="A1", time=NOW)
    assert known.form.write(key, "A1", NOW) == said


@pytest.mark.parametrize("words", [b"lonely", "isolée".encode()])
def test_other_words_times_and_ids_are_of_a_familiar_sender(words: bytes) -> None:
    seen = acquainted(Policy(test=True), b"UNICODE UTF-8")
    data = (GOOD % b"UNICODE UTF-8").replace(b"lonely", words).replace(b"|C1|", b"|C-2.x|")
    found = seen.recall(data.replace(b"20260115", b"20270101120000-0500"))
    assert found is not None
    assert (found[1], found[0].kind) == ("C-2.x", "REF^I12")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\rPID|", b"\rPIX|"),
        (b"^JHN", b"^QQQ"),
        (b"lonely", b"l\xe9nely"),
        (b"|C1|", b"||"),
        (b"|CLINIC^", b"|OTHER^"),
        (b"lonely", b"lonely\rMSH|^~\\&|X"),
        (b"lonely", b"line\nline"),
        (b"|T|", b"|X|"),
    ],
)
def test_whatever_leaves_a_doubt_is_looked_at_whole(old: bytes, new: bytes) -> None:
    seen = acquainted(Policy(test=True), b"")
    assert seen.recall((GOOD % b"").replace(old, new)) is None


def test_a_message_that_was_refused_or_odd_teaches_nothing() -> None:
    policy = Policy(test=True)
    for data in ((GOOD % b"").replace(b"^JHN", b"^QQQ"), (GOOD % b"").replace(b"PID|", b"PIX|")):
        seen = Acquaintances(policy)
        seen.learn(data, check(data, policy))
        assert seen.recall(GOOD % b"") is None


def test_headers_without_end_are_not_kept_without_end() -> None:
    policy = Policy(test=True)
    seen = Acquaintances(policy)
    for number in range(1000):
        data = (GOOD % b"").replace(b"SITE", b"SITE%d" % number, 1)
        seen.learn(data, check(data, policy))
    assert len(seen._known) <= 256
    assert seen.recall(data) is not None


def test_the_second_message_is_answered_and_kept_as_the_first(
    system: Any, context: Any, make_referral: Callable[..., bytes]
) -> None:
    async def run() -> list[bytes]:
        ids = ("C1", "C2", "C2")
        answers = [await system.handle(make_referral(id=each)) for each in ids]
        return [*answers, await system.handle(make_referral(id="C2", NTE="NTE|1||other"))]

    first, second, copy, conflict = asyncio.run(run())
    assert b"MSA|AA|C1\r" in first
    assert b"MSA|AA|C2\r" in second
    assert copy == second
    assert b"MSA|AE|C2" in conflict
    one, two = context.accepted
    assert replace(two, raw=one.raw, key=one.key, answer=one.answer) == one
