"""Frames come out whole, however the packets were cut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter_hl7v2.framing import Deframer, frame

MESSAGES = st.lists(
    st.binary(min_size=1, max_size=40).filter(lambda b: b"\x1c" not in b and b"\x0bMSH" not in b),
    min_size=1,
    max_size=6,
)


def read(*packets: bytes, size: int = 1000) -> list[tuple[bytes, str | None]]:
    deframer = Deframer(size)
    frames = [f for packet in packets for f in deframer.feed(packet)]
    return [(f.data, f.fault) for f in [*frames, *deframer.close()]]


@given(MESSAGES, st.data())
def test_any_cut_of_the_stream_gives_the_same_messages(
    messages: list[bytes], data: st.DataObject
) -> None:
    stream = b"".join(frame(m) for m in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    packets = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(*packets) == [(m, None) for m in messages]


@given(MESSAGES, st.sampled_from([b"", b"\r", b"\r\n", b"junk", b"\x00\xff\r"]))
def test_what_stands_between_frames_is_skipped(messages: list[bytes], between: bytes) -> None:
    assert read(between.join(frame(m) for m in messages)) == [(m, None) for m in messages]


@pytest.mark.parametrize(
    ("stream", "frames"),
    [
        (b"\x0bMSH|A\r\x1c", [(b"MSH|A\r", None)]),
        (b"\x0bMSH|A\r\x1c\x0bMSH|B\r\x1c\r", [(b"MSH|A\r", None), (b"MSH|B\r", None)]),
        (b"\x0bMSH|A\x1c\x0bMSH|B\x1c\r", [(b"MSH|A", None), (b"MSH|B", None)]),
        (b"\x0bMSH|A\r\x1c\n\x0bMSH|B\r\x1c\n", [(b"MSH|A\r", None), (b"MSH|B\r", None)]),
        (b"\x0bMSH|a\x1cb\r\x1c\r", [(b"MSH|a\x1cb\r", None)]),
        (b"\x0bMSH|a\x0bb\r\x1c\r", [(b"MSH|a\x0bb\r", None)]),
        (b"\x0bMSH|A\r\x0bMSH|B\r\x1c\r", [(b"MSH|A\r", "unterminated"), (b"MSH|B\r", None)]),
        (b"\x0bMSH|A\r", [(b"MSH|A\r", "unterminated")]),
        (b"\x0bMSH|A\x1c", [(b"MSH|A\x1c", "unterminated")]),
        (b"MSH|A\r", [(b"MSH|A\r", "unframed")]),
        (b"GET / HTTP/1.1\r\n\r\n", []),
        (b"\x0b\x1c\r", [(b"", None)]),
        (b"\x0b", []),
        (b"", []),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 10_000])
def test_sloppy_frames_are_read_or_named(
    stream: bytes, frames: list[tuple[bytes, str | None]], step: int
) -> None:
    packets = [stream[i : i + step] for i in range(0, len(stream), step)]
    assert read(*packets) == frames


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_a_frame_that_is_too_large_is_named_and_the_next_one_read(step: int) -> None:
    stream = frame(b"MSH|" + b"x" * 9000) + frame(b"MSH|B")
    packets = [stream[i : i + step] for i in range(0, len(stream), step)]
    frames = read(*packets, size=5000)
    assert [(len(data), fault) for data, fault in frames] == [(4096, "too-large"), (5, None)]


def test_a_frame_at_the_cap_passes() -> None:
    assert read(frame(b"x" * 1000)) == [(b"x" * 1000, None)]
    assert read(frame(b"x" * 1001))[0][1] == "too-large"


def test_endless_bytes_are_not_kept() -> None:
    deframer = Deframer(100_000)
    deframer.feed(b"\x0b")
    for _ in range(100):
        assert deframer.feed(b"y" * 65536) == []
    assert deframer.pending == 6_553_600
    assert len(deframer._buffer) <= 165_540
    [last] = deframer.feed(b"\x1c\r")
    assert (last.fault, last.size) == ("too-large", 6_553_600)


def test_time_is_linear_in_the_bytes_even_when_every_byte_is_a_stop() -> None:
    began = time.perf_counter()
    deframer = Deframer(2_000_000)
    deframer.feed(b"\x0bMSH")
    for _ in range(20):
        deframer.feed(b"\x1cx" * 25_000)
    assert len(deframer.feed(b"\r\x1c\r")) == 1
    assert time.perf_counter() - began < 3
