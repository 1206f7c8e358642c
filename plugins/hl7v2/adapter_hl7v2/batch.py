"""One input into its messages: MLLP frames, batch files (FHS, BHS, BTS, FTS), or one after another.

A message ends where the next header segment begins. The counts that trailers give are checked
(chapter 2, batch protocol); what cannot be a message is given back as the error that it is, in its
place, so that nothing of a file is skipped in silence.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from adapter_hl7v2 import charset
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.framing import START, Deframer
from adapter_hl7v2.limits import LIMITS, Limits

# Header segments carry their delimiters; trailers may stand alone.
_MARK = re.compile(
    rb"(?:\A|(?<=[\r\n]))"
    rb"(?:(?:MSH|FHS|BHS)(?=[^A-Za-z0-9\r\n])|(?:BTS|FTS)(?=[^A-Za-z0-9]|\Z))"
)
_BLANK = b" \t\r\n\x1a"  # with the end-of-file mark of old systems


def split(data: bytes, limits: Limits = LIMITS) -> Iterator[bytes | ReadError]:
    """The messages of one input, in order; a `ReadError` where something is not a message.

    Errors: ``no-message`` (nothing here, or text that belongs to no message),
    ``frame-unterminated``, ``too-large``, ``charset-mismatch``, ``batch-count`` (a trailer counts
    otherwise), ``batch-unfinished`` (no trailer). A wrong count takes no message back.
    """
    found = False
    for piece in _pieces(data, limits):
        found = True
        yield piece
    if not found:
        yield _stray()


def _pieces(data: bytes, limits: Limits) -> Iterator[bytes | ReadError]:
    if data.lstrip(_BLANK)[:1] != START:
        yield from _Batch().read(data)
        return
    deframer = Deframer(limits.size)
    for frame in [*deframer.feed(data), *deframer.close()]:
        if frame.fault == "too-large":
            yield ReadError(
                "too-large",
                f"a frame has {frame.size:,} bytes; at most {limits.size:,} are taken",
                fix="send large documents by reference, or raise max_bytes",
                condition="207",
            )
        elif frame.fault:
            yield unterminated()
        else:
            yield from _Batch().read(frame.data)
    if deframer.stray:
        yield _stray()


def unterminated() -> ReadError:
    """The error of a frame without its end."""
    return ReadError(
        "frame-unterminated",
        "an MLLP frame has no end (0x1C 0x0D)",
        fix="the message may be cut: send it again, whole",
    )


@dataclass(slots=True)
class _Batch:
    """What the trailers of one file are checked against."""

    separator: bytes = b"|"
    messages: int = 0
    batches: int = 0
    in_batch: bool = False
    in_file: bool = False

    def read(self, data: bytes) -> Iterator[bytes | ReadError]:
        try:
            data, proven = charset.unwrap(data)
        except ReadError as error:
            yield error
            return
        marks = [found.start() for found in _MARK.finditer(data)]
        before = data[: marks[0] if marks else len(data)]
        if before.strip(_BLANK):
            yield _stray()
        for start, end in zip(marks, [*marks, len(data)][1:], strict=True):
            piece = data[start:end]
            if piece.startswith(b"MSH"):
                self.messages += 1
                yield _wrapped(piece.rstrip(b"\x1a"), proven)
            else:
                yield from self._mark(piece)
        if self.in_batch or self.in_file:
            yield ReadError(
                "batch-unfinished",
                "the batch has no end (BTS or FTS)",
                fix="the file may be cut: compare its messages with what was sent",
            )

    def _mark(self, piece: bytes) -> Iterator[ReadError]:
        name = piece[:3]
        line, *rest = re.split(rb"[\r\n]+", piece.strip(_BLANK), maxsplit=1)
        if rest:
            yield _stray()
        if name in (b"FHS", b"BHS"):
            self.separator = piece[3:4]
        if name == b"FHS":
            self.in_file, self.batches = True, 0
        elif name == b"BHS":
            self.in_batch, self.messages = True, 0
            self.batches += 1
        elif name == b"BTS":
            self.in_batch = False
            yield from self._count(line, self.messages, "messages")
        else:
            self.in_file = False
            yield from self._count(line, self.batches, "batches")

    def _count(self, line: bytes, found: int, what: str) -> Iterator[ReadError]:
        said = [*line.split(self.separator), b""][1].strip()
        if said and (not said.isdigit() or len(said) > 9 or int(said) != found):
            yield ReadError(
                "batch-count",
                f"the trailer does not count {found} {what}, which is what there is",
                fix="the file may be cut: compare its messages with what was sent",
            )


def _wrapped(piece: bytes, proven: str | None) -> bytes:
    """A message as bytes that still show the charset that the whole input showed."""
    if proven is None:
        return piece
    if proven == "utf-8":
        return codecs.BOM_UTF8 + piece
    return piece.decode("utf-8").encode(proven)


def _stray() -> ReadError:
    return ReadError(
        "no-message",
        "there is text that belongs to no HL7 v2 message",
        fix="send HL7 v2 in its delimiter encoding (ER7); each message begins with MSH",
    )
