"""An input is cut into its messages and nothing of it is skipped."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_hl7v2.batch import split
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.framing import frame
from adapter_hl7v2.limits import Limits
from adapter_hl7v2.message import Message

A = b"MSH|^~\\&|A|||||||1|P|2.5\rPID|1\r"
B = b"MSH#*!%@#B#######2#P#2.5\rPID#1\r"


def names(data: bytes) -> list[str]:
    return [name(piece) for piece in split([data])]


def name(piece: bytes) -> str:
    try:
        return Message.parse(piece).header.field(3)
    except ReadError as error:
        return error.code.removeprefix("hl7v2.")


CASES: list[tuple[bytes, list[str]]] = [
    (A, ["A"]),
    (A + B + A, ["A", "B", "A"]),
    ((A + B).replace(b"\r", b"\n"), ["A", "B"]),
    ((A + B).replace(b"\r", b"\r\n"), ["A", "B"]),
    (b"\r\n\r\n" + A + b"\r\n" + B + b"\x1a", ["A", "B"]),
    (codecs.BOM_UTF8 + A + B, ["A", "B"]),
    (A + frame(B) + frame(A), ["A", "B", "A"]),
    (b"junk" + frame(A), ["no-message", "A"]),
    (b"junk" + frame(A) + frame(B), ["no-message", "A", "B"]),
    (A.replace(b"|1|", b"|\x0b1|") + B, ["A", "B"]),
    ((A + B).decode().encode("utf-16"), ["A", "B"]),
    (frame(A) + frame(B), ["A", "B"]),
    (frame(A + B), ["A", "B"]),
    (b"\r\n" + frame(A) + b"\n" + frame(B), ["A", "B"]),
    (b"FHS|^~\\&|X\rBHS|^~\\&|X\r" + A + B + b"BTS|2\rFTS|1\r", ["A", "B"]),
    (b"BHS|^~\\&\r" + A + b"BTS\r", ["A"]),
    (b"BHS#*!%@\r" + A + b"BTS#1#ok\r", ["A"]),
    (b"BHS|^~\\&\r" + A + b"BTS|1\rBHS|^~\\&\r" + B + b"BTS|1\r", ["A", "B"]),
    (b"FHS|^~\\&\r" + A + b"FTS|0", ["A"]),
    (b"BHS|^~\\&\r" + A + b"BTS|2\r", ["A", "batch-count"]),
    (b"BHS|^~\\&\r" + A + b"BTS|many\r", ["A", "batch-count"]),
    (b"BHS|^~\\&\r" + A + b"BTS|99999999999999999999\r", ["A", "batch-count"]),
    (b"FHS|^~\\&\rBHS|^~\\&\r" + A + b"BTS|1\rFTS|3\r", ["A", "batch-count"]),
    (b"BHS|^~\\&\r" + A, ["A", "batch-header"]),
    (b"junk\r" + A, ["no-message", "A"]),
    (b"BHS|^~\\&\rNTE|1\r" + A + b"BTS|1\r", ["no-message", "A"]),
    (b"", ["no-message"]),
    (b"\r\n \x1a", ["no-message"]),
    (b"{}", ["no-message"]),
    (b"\x0b" + A + frame(B), ["frame-unterminated", "B"]),
    (b"\x0b" + A, ["frame-unterminated"]),
    (frame(A) + b"junk", ["A", "no-message"]),
    (frame(b""), ["no-message"]),
    (codecs.BOM_UTF16_LE + b"M\0S", ["charset-mismatch"]),
]


@pytest.mark.parametrize(("data", "expected"), CASES)
def test_an_input_is_cut_into_messages(data: bytes, expected: list[str]) -> None:
    assert names(data) == expected


def test_a_frame_over_the_cap_is_refused_in_its_place() -> None:
    pieces = list(split([frame(b"MSH|^~\\&|" + b"x" * 300) + frame(A)]))
    with pytest.raises(ReadError) as caught:
        Message.parse(pieces[0], limits=Limits(size=200))
    assert caught.value.code == "hl7v2.too-large"
    assert pieces[1] == A


@given(st.lists(st.sampled_from([A, B, b"x\r", b"BHS|^~\\&\r", b"BTS|1\r", b"\r\n"]), max_size=8))
def test_every_message_of_an_input_comes_out_once_and_in_order(parts: list[bytes]) -> None:
    expected = [part[9:10].decode() for part in parts if part in (A, B)]
    assert [n for n in names(b"".join(parts)) if n in ("A", "B")] == expected


PIECES = [
    A,
    B,
    frame(A),
    b"\x0b",
    b"\x1c",
    b"x\r",
    b"BHS|^~\\&\r",
    b"FHS|^~\\&\r",
    b"BTS|1\r",
    b"BTS",
    b"\n",
]


@given(st.lists(st.sampled_from(PIECES), max_size=6), st.lists(st.integers(1, 40)))
def test_however_an_input_comes_in_blocks_its_messages_are_the_same(
    parts: list[bytes], sizes: list[int]
) -> None:
    data = b"".join(parts)
    assert list(split(blocks_of(data, sizes))) == list(split([data]))


@pytest.mark.parametrize("data", [data for data, _ in CASES])
def test_an_input_that_comes_byte_by_byte_has_the_same_messages(data: bytes) -> None:
    assert list(split(blocks_of(data, [1] * len(data)))) == list(split([data]))


def blocks_of(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        if data:
            yield data[:size]
        data = data[size:]
    if data:
        yield data


@pytest.mark.parametrize("wrapped", [bytes, frame])
def test_a_message_comes_out_before_the_input_has_ended(wrapped: Callable[[bytes], bytes]) -> None:
    read: list[int] = []

    def blocks() -> Iterator[bytes]:
        for number in range(100):
            read.append(number)
            yield wrapped(A)

    messages = split(blocks())
    assert [next(messages) for _ in range(10)] == [A] * 10
    assert len(read) <= 12
