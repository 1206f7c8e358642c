"""One HL7 v2 message: read lazily, in order and whole; written field by field.

Reading splits lines and nothing else; a segment splits its fields when it is asked, a field its
parts. Every segment stays, in order, known or not. Line ends may be CR (the standard's), LF or
CRLF; a line feed inside a message whose segments end in CR is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from adapter_hl7v2 import charset
from adapter_hl7v2.dialects import GENERIC, Dialect
from adapter_hl7v2.encoding import Encoding, encoding_of
from adapter_hl7v2.errors import ReadError, WriteError
from adapter_hl7v2.framing import START
from adapter_hl7v2.leaves import Leaf, leaves
from adapter_hl7v2.limits import LIMITS, Limits
from adapter_hl7v2.segment import Segment

_LONG = 64 * 1024
_LONG_LINE = 4 * 1024
_HEADER_END = re.compile(rb"[\r\n]")


class Message:
    """A message: its segments and the delimiters and charset that hold for all of them.

    Attributes:
        encoding: delimiters and charset.
    """

    __slots__ = ("_header", "_lines", "_segments", "encoding")

    def __init__(self, segments: list[Segment], encoding: Encoding) -> None:
        self._segments: list[Segment] | None = segments
        self._lines: list[str] = []
        self._header: Segment | None = None
        self.encoding = encoding

    @classmethod
    def of(cls, lines: list[str], encoding: Encoding) -> Message:
        """A message of raw segments, MSH first; `segments` are made when they are first asked."""
        message = cls([], encoding)
        message._segments = None
        message._lines = lines
        return message

    @property
    def segments(self) -> list[Segment]:
        """Every segment in the order of the message; the first is MSH."""
        if self._segments is None:
            encoding = self.encoding
            self._segments = [Segment(line, encoding) for line in self._lines]
            if self._header is not None:
                self._segments[0] = self._header
        return self._segments

    def raws(self) -> list[str]:
        """Every segment as it stands in the message, without its terminator."""
        if self._segments is not None:
            return [segment.raw for segment in self._segments]
        return [self.header.raw, *self._lines[1:]]

    @classmethod
    def parse(cls, data: bytes, *, dialect: Dialect = GENERIC, limits: Limits = LIMITS) -> Message:
        """Read exactly one message, without transport framing.

        Raises:
            ReadError: ``no-message`` (no MSH first), ``batch-header``, ``batch-count``,
                ``frame-unterminated``, ``several-messages``, ``too-large``,
                ``too-many-segments``, ``too-many-elements``, ``encoding-characters``,
                ``charset-unknown``, ``charset-mismatch``.
        """
        limits.check_size(data)
        data, proven = charset.unwrap(data)
        if data[:3] != b"MSH":
            data = data.lstrip(b" \t\r\n")
        field, characters, declared = read_header(data)
        limits.check_elements(data, (field + characters).encode("latin-1"))
        if dialect.charset is not None:
            proven, declared = None, dialect.charset
        text, codec = charset.decode(data, proven, declared, dialect.default_charset)
        encoding = encoding_of(field, characters, codec)
        lines = _lines(with_cr(text, field) if "\n" in text else text)
        if not lines[-1]:
            lines.pop()
        limits.check_lines(len(lines))
        if "" in lines:
            lines = [line for line in lines if line]
        if text.find("MSH", 3) >= 0 and any(
            line[:4] in ("MSH", f"MSH{field}") for line in lines[1:]
        ):
            raise ReadError(
                "several-messages",
                "there is more than one MSH segment",
                fix="send one message in each frame, or a batch file",
            )
        return cls.of(lines, encoding)

    @classmethod
    def new(
        cls,
        *,
        type: str,
        trigger: str,
        structure: str | None = None,
        version: str,
        control_id: str,
        time: datetime,
        processing_id: str | None = "P",
        encoding: Encoding | None = None,
    ) -> Message:
        """Begin a message: MSH with MSH-1, 2, 7, 9, 10, 11, 12 and 18.

        `time` is written with its offset if it has one. MSH-9.3 did not exist before 2.3.1.
        Without `encoding` it has the usual delimiters, in UTF-8.
        """
        encoding = encoding or Encoding()
        header = Segment(f"MSH{encoding.field}{encoding.characters}", encoding)
        header.set(7, time.strftime("%Y%m%d%H%M%S%z"))
        header.set_field(9, type, trigger, structure if trigger and version != "2.3" else None)
        header.set(10, control_id).set(11, processing_id).set(12, version)
        message = cls([header], encoding)
        message.declare_charset()
        return message

    def declare_charset(self) -> None:
        """Write the charset of this message in MSH-18; plain ASCII is what an empty one means."""
        codec = self.encoding.codec
        self.header.set(18, charset.DECLARED.get(codec, codec) if codec != "ascii" else None)

    def add(self, name: str) -> Segment:
        """Append an empty segment and return it, to be written.

        Raises:
            WriteError: ``no-such-place``, if `name` is no segment id.
        """
        if not (len(name) == 3 and name.isascii() and name.isalnum() and name.isupper()):
            raise WriteError("no-such-place", "a segment id is three capital letters or digits")
        segment = Segment(name, self.encoding)
        self.segments.append(segment)
        return segment

    @property
    def header(self) -> Segment:
        """MSH."""
        if self._segments is not None:
            return self._segments[0]
        if self._header is None:
            self._header = Segment(self._lines[0], self.encoding)
        return self._header

    @property
    def type(self) -> str:
        """MSH-9.1, for example ``REF``; empty if it is absent."""
        return self.header.get(9, comp=1) or ""

    @property
    def trigger(self) -> str:
        """MSH-9.2, for example ``I12``; empty if it is absent."""
        return self.header.get(9, comp=2) or ""

    @property
    def structure(self) -> str:
        """MSH-9.3, for example ``REF_I12``; empty if it is absent."""
        return self.header.get(9, comp=3) or ""

    @property
    def kind(self) -> str:
        """MSH-9.1 and MSH-9.2 together, for example ``REF^I12``."""
        raw = self.header.field(9)
        first, _, rest = raw.partition(self.encoding.component)
        second = rest.partition(self.encoding.component)[0]
        if not (first + second).isalnum():  # as good as never
            first, second = self.type, self.trigger
        return f"{first}^{second}" if second else first

    @property
    def control_id(self) -> str:
        """MSH-10; empty if it is absent."""
        return self.header.get(10) or ""

    @property
    def version(self) -> str:
        """MSH-12.1, for example ``2.5.1``; empty if it is absent."""
        return self.header.get(12) or ""

    def segment(self, name: str, nth: int = 0) -> Segment | None:
        """The nth segment with this id (from 0), or None."""
        for segment in self.segments:
            if segment.id == name:
                if not nth:
                    return segment
                nth -= 1
        return None

    def first(self, name: str) -> Segment | None:
        """The first segment with this id, or None: to be read, for it may be a copy.

        Of a message that was only split into lines no other segment is made for it.
        """
        if name == self.header.id:
            return self.header
        if self._segments is not None:
            return self.segment(name)
        start = name + self.encoding.field
        for line in self._lines:
            if line.startswith(start) or line == name:
                return Segment(line, self.encoding)
        return None

    def all(self, name: str) -> list[Segment]:
        """Every segment with this id, in order."""
        return [segment for segment in self.segments if segment.id == name]

    def leaves(self) -> Iterator[Leaf]:
        """Every non-empty value once, with its unique path; MSH-1 and MSH-2 are not counted."""
        return leaves(self.segments, self.encoding)

    def to_text(self) -> str:
        """The message as text; each segment ends in CR."""
        return "\r".join(self.raws()) + "\r"

    def to_bytes(self) -> bytes:
        """The message in its charset; each segment ends in CR.

        Raises:
            WriteError: ``not-encodable``, if the charset lacks a character of a value.
        """
        try:
            return charset.encode(self.to_text(), self.encoding.codec)
        except UnicodeEncodeError:
            raise WriteError(
                "not-encodable",
                f"a value has a character that the charset {self.encoding.codec} has not",
                fix="set this site's outbound charset to utf-8, or ask the receiver to",
            ) from None

    def __repr__(self) -> str:
        return f"<Message of {len(self.raws())} segments>"


def read_header(data: bytes) -> tuple[str, str, str]:
    """MSH-1, MSH-2 and MSH-18 (first repetition) of bytes that begin with MSH.

    Raises:
        ReadError: ``no-message``, or what else begins so: ``batch-header``, ``batch-count``,
            ``frame-unterminated``.
    """
    end = _HEADER_END.search(data)
    line = data[: end.start() if end else len(data)].decode("latin-1")
    if line[:3] != "MSH" or len(line) < 5:
        raise _no_message(data[:3])
    field = line[3]
    parts = line[4:].split(field, 17)
    characters = parts[0]
    declared = parts[16] if len(parts) > 16 else ""
    if declared and len(characters) > 1:
        declared = declared.split(characters[1])[0]
    return field, characters, declared.strip()


def _no_message(start: bytes) -> ReadError:
    if start[:1] == START:
        return frame_unterminated()
    if start in (b"BTS", b"FTS"):
        return ReadError(
            "batch-count",
            "the trailer of a batch does not count what came before it",
            fix="the file may be cut: compare its messages with what was sent",
        )
    if start in (b"FHS", b"BHS"):
        return ReadError(
            "batch-header",
            "a batch begins where a message should, or has no trailer (BTS, FTS)",
            fix="send one message in each frame; of a file, see whether its end was cut",
        )
    return ReadError(
        "no-message",
        "the bytes do not begin with an MSH segment",
        fix="send HL7 v2 in its delimiter encoding (ER7), MSH first",
    )


def frame_unterminated() -> ReadError:
    """The error of a frame that began and did not end."""
    return ReadError(
        "frame-unterminated",
        "an MLLP frame has no end (0x1C 0x0D)",
        fix="the message may be cut: send it again, whole",
        condition="207",
    )


def _lines(text: str) -> list[str]:
    """Text at its CRs. Where lines are long, finding is faster than splitting."""
    if len(text) < _LONG or text.count("\r") * _LONG_LINE > len(text):
        return text.split("\r")
    lines = []
    start = 0
    while (end := text.find("\r", start)) >= 0:
        lines.append(text[start:end])
        start = end + 1
    lines.append(text[start:])
    return lines


def with_cr(text: str, field: str) -> str:
    """Text with CR, and only CR, at the end of each segment."""
    if "\n" not in text:
        return text
    text = re.sub("\r\n+", "\r", text)
    if "\r" not in text:
        return text.replace("\n", "\r")
    if "\n" not in text:
        return text
    # A run of line feeds is looked at once, from its start: it may be as long as the message.
    return re.sub(rf"(?<!\n)\n++(?=[A-Z][A-Z0-9]{{2}}{re.escape(field)}|\Z)", "\r", text)
