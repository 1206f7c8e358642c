"""One input into its messages: MLLP frames, batch files (FHS, BHS, BTS, FTS), or one after another.

A message ends where the next header segment begins. The counts that trailers give are checked
(chapter 2, batch protocol). What is no message is given in its place as the bytes that it is, and
`Message.parse` refuses it by name, so that nothing of a file is skipped in silence.
"""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from adapter.plugin.window import Window
from adapter_hl7v2 import charset
from adapter_hl7v2.errors import ReadError
from adapter_hl7v2.framing import START, Deframer, Frame

# Header segments carry their delimiters; trailers may stand alone.
_MARK = re.compile(
    rb"(?:\A|(?<=[\r\n]))"
    rb"(?:(?:MSH|FHS|BHS)(?=[^A-Za-z0-9\r\n])|(?:BTS|FTS)(?=[^A-Za-z0-9]|\Z))"
)
_FRAMED = re.compile(rb"(?<=[\r\n])\x0b(?=(?:MSH|FHS|BHS)[^A-Za-z0-9\r\n])")
_HEAD = 4  # bytes that tell how an input begins
_BLANK = b" \t\r\n\x1a"  # with the end-of-file mark of old systems


def split(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The messages of one input, in order, and in their place bytes that are none.

    Those are: text that belongs to no message; a frame without its end (with its 0x0B); a trailer
    that counts otherwise; the header of a batch that has no trailer; nothing at all. A count that
    is wrong does not take back the messages before it.

    The input comes in blocks, cut anywhere. A message comes out when the next one begins, or when
    its frame ends. An input that is neither messages one after another nor frames (it has a byte
    order mark, or text comes first), or that has a 0x0B after messages, is read to its end first.
    """
    found = False
    for piece in _pieces(Window(blocks, _HEAD)):
        found = True
        yield piece
    if not found:
        yield b""


def _pieces(window: Window) -> Iterator[bytes]:
    batch = _Batch()
    if window.data[:1] == START:
        yield from _framed(window)
        return
    if _MARK.match(window.data):
        yield from _ended(window, batch)
    window.read_all()
    frames = _first_frame(window.data)
    before = window.data[:frames]
    if before.strip(_BLANK) or frames == len(window.data):
        yield from batch.read(before)
        yield from batch.close()
    if frames < len(window.data):
        window.data = window.data[frames:]
        yield from _framed(window)


def _ended(window: Window, batch: _Batch) -> Iterator[bytes]:
    """Every message that was seen to its end, until the input ends or may go over into frames."""
    while START not in window.data:
        # The last mark counts when what follows its letters is there, which may change it.
        marks = (found.start() for found in _MARK.finditer(window.data))
        sure = [at for at in marks if at + 3 < len(window.data)]
        if sure:
            yield from batch.read(window.data[: sure[-1]])
        if window.whole:
            window.data = window.data[sure[-1] :] if sure else window.data
            return
        window.slide(sure[-1] if sure else 0)


def _framed(window: Window) -> Iterator[bytes]:
    deframer = Deframer(sys.maxsize)
    while True:
        for frame in deframer.feed(window.data):
            yield from _of_frame(frame)
        if window.whole:
            break
        window.slide(len(window.data))
    for frame in deframer.close():
        yield from _of_frame(frame)
    if deframer.stray:
        yield b"?"


def _of_frame(frame: Frame) -> Iterator[bytes]:
    if frame.fault:
        yield START + frame.data.lstrip(b"\r\n")  # the end of the frame before it, perhaps
        return
    batch = _Batch()
    yield from batch.read(frame.data)
    yield from batch.close()


def _first_frame(data: bytes) -> int:
    """Where the first MLLP frame begins; the end of the bytes if there is none.

    A lone 0x0B inside a message is a character of some text: a frame begins where a message could,
    or before any message has.
    """
    if data.lstrip(_BLANK)[:1] == START:
        return data.index(START)
    mark, framed = _MARK.search(data), data.find(START + b"MSH")
    if framed >= 0 and (mark is None or framed < mark.start()):
        return framed
    found = _FRAMED.search(data)
    return found.start() if found else len(data)


@dataclass(slots=True)
class _Batch:
    """What the trailers of one file are checked against."""

    separator: bytes = b"|"
    messages: int = 0
    batches: int = 0
    file: bytes = b""  # the header of a file or a batch that has no trailer yet
    batch: bytes = b""

    def read(self, data: bytes) -> Iterator[bytes]:
        """The messages of the file, or of a part of it that ends where a header begins."""
        try:
            narrow, proven = charset.unwrap(data)
        except ReadError:
            yield data
            return
        marks = [found.start() for found in _MARK.finditer(narrow)]
        before = narrow[: marks[0] if marks else len(narrow)]
        if before.strip(_BLANK):
            yield before
        for start, end in zip(marks, [*marks, len(narrow)][1:], strict=True):
            piece = narrow[start:end]
            if piece.startswith(b"MSH"):
                self.messages += 1
                yield _wrapped(piece.rstrip(b"\x1a"), proven)
            else:
                yield from self._mark(piece)

    def close(self) -> Iterator[bytes]:
        """What is wrong once nothing follows."""
        if self.batch or self.file:
            yield self.batch or self.file

    def _mark(self, piece: bytes) -> Iterator[bytes]:
        name = piece[:3]
        line, *rest = re.split(rb"[\r\n]+", piece.strip(_BLANK), maxsplit=1)
        if name in (b"FHS", b"BHS"):
            self.separator = piece[3:4]
        if name == b"FHS":
            self.file, self.batches = line, 0
        elif name == b"BHS":
            self.batch, self.messages = line, 0
            self.batches += 1
        elif name == b"BTS":
            self.batch = b""
            yield from self._count(line, self.messages)
        else:
            self.file = b""
            yield from self._count(line, self.batches)
        yield from rest

    def _count(self, trailer: bytes, found: int) -> Iterator[bytes]:
        said = [*trailer.split(self.separator), b""][1].strip()
        if said and (not said.isdigit() or len(said) > 9 or int(said) != found):
            yield trailer


def _wrapped(piece: bytes, proven: str | None) -> bytes:
    """A message as bytes that still show the charset that the whole input showed."""
    if proven is None:
        return piece
    if proven == "utf-8":
        return codecs.BOM_UTF8 + piece
    return piece.decode("utf-8").encode(proven)
