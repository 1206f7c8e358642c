"""An input is cut into its messages and nothing of it is skipped."""

from __future__ import annotations

import codecs

import pytest

from adapter_hl7v2.batch import split
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.framing import frame
from adapter_hl7v2.limits import Limits
from adapter_hl7v2.message import Message

A = b"MSH|^~\\&|A|||||||1|P|2.5\rPID|1\r"
B = b"MSH#*!%@#B#######2#P#2.5\rPID#1\r"


def names(data: bytes) -> list[str]:
    return [name(piece) for piece in split(data)]


def name(piece: bytes | ReadError) -> str:
    if isinstance(piece, ReadError):
        return piece.code.removeprefix("hl7v2.")
    return Message.parse(piece).header.field(3)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (A, ["A"]),
        (A + B + A, ["A", "B", "A"]),
        ((A + B).replace(b"\r", b"\n"), ["A", "B"]),
        ((A + B).replace(b"\r", b"\r\n"), ["A", "B"]),
        (b"\r\n\r\n" + A + b"\r\n" + B + b"\x1a", ["A", "B"]),
        (codecs.BOM_UTF8 + A + B, ["A", "B"]),
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
        (b"BHS|^~\\&\r" + A, ["A", "batch-unfinished"]),
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
    ],
)
def test_an_input_is_cut_into_messages(data: bytes, expected: list[str]) -> None:
    assert names(data) == expected


def test_a_frame_over_the_cap_is_an_error_in_its_place() -> None:
    pieces = list(split(frame(b"MSH|" + b"x" * 300) + frame(A), Limits(size=200)))
    assert isinstance(pieces[0], ReadError)
    assert pieces[1] == A
