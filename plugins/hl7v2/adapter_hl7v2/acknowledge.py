"""The acknowledgement of a message, in the mode and version that its sender asked for.

Original mode (MSH-15 empty): AA, AE, AR. Enhanced mode: CA, CE, CR, and only when MSH-15 wants one
(table 0155). ERR in the form of the version: ERR-1 before 2.5, ERR-2 to ERR-8 from 2.5 (chapter 2).
It says of the message only its control id and who sent it; never what was in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from adapter_hl7v2 import charset
from adapter_hl7v2.encoding import ABSENT, Encoding
from adapter_hl7v2.errors import ReadError, WriteError
from adapter_hl7v2.limits import LIMITS
from adapter_hl7v2.message import Message, read_header
from adapter_hl7v2.problems import CONDITIONS, Problem
from adapter_hl7v2.segment import Segment
from adapter_hl7v2.structure.definitions import VERSIONS

_FALLBACK_VERSION = "2.5.1"
_HEAD = 4096
_LONGEST_ID = 199  # MSH-10 from version 2.7 on
_ECHOED = (3, 4, 5, 6, 9, 11, 12, 15)  # the fields of MSH that an acknowledgement depends on
_LONGEST_HEAD = 1000
_STAMP = "%Y%m%d%H%M%S%z"


def acknowledge(
    message: Message, *, control_id: str, time: datetime, problems: Sequence[Problem] = ()
) -> bytes:
    """The acknowledgement of a message; empty bytes if its sender wants none.

    Args:
        message: what was received.
        control_id: MSH-10 of the acknowledgement.
        time: MSH-7 of the acknowledgement.
        problems: those of severity E refuse it; others are said along with the acceptance, which
            only version 2.5 and later can express.
    """
    if not problems:
        plain = _plain(message, control_id, time)
        if plain is not None:
            return plain
    errors = [problem for problem in problems if problem.severity == "E"]
    if not _wanted(message, bool(errors)):
        return b""
    verdict = "A" if not errors else "R" if any(e.reject for e in errors) else "E"
    answer = _head(message, control_id, time)
    version = answer.version
    ack = answer.add("MSA").set(1, ("C" if _enhanced(message) else "A") + verdict)
    ack.set(2, message.control_id[:_LONGEST_ID])
    modern = VERSIONS.index(version) >= VERSIONS.index("2.5")
    if errors and not modern:
        ack.set(3, errors[0].message[:80])
    for problem in problems if modern else errors:
        (_error if modern else _old_error)(answer, problem)
    try:
        return answer.to_bytes()
    except WriteError:  # only an echoed id can be outside the charset: answer without
        ack.set(2, None)
        for number in (3, 4, 5, 6):
            answer.header.set(number, None)
        return answer.to_bytes()


def _plain(message: Message, control_id: str, time: datetime) -> bytes | None:
    """An acceptance with nothing more to say, or None where it must be made part by part."""
    own = message.control_id[:_LONGEST_ID]
    form = form_of(message) if own else None
    return form.write(own, control_id, time) if form is not None else None


@dataclass(frozen=True, slots=True)
class Form:
    """An acceptance with nothing more to say, but for its time and two control ids.

    `wanted` is False where the sender asked for none.
    """

    encoding: Encoding
    start: str = ""
    type: str = ""
    verdict: str = ""
    wanted: bool = True

    def write(self, own: str, control_id: str, time: datetime) -> bytes | None:
        """The acceptance of the message `own`, empty if none is wanted; None if its charset lacks a
        character of the id.
        """
        if not self.wanted:
            return b""
        quote = self.encoding.quote
        stamp = quote(_stamp(time.replace(microsecond=0)))
        text = f"{self.start}{stamp}{self.type}{quote(control_id)}{self.verdict}{quote(own)}\r"
        try:
            return charset.encode(text, self.encoding.codec)
        except UnicodeEncodeError:
            return None


def form_of(message: Message) -> Form | None:
    """The form of the acceptance of a message, or None for a header that is not worth keeping.

    It depends on what a sender writes into every header alike.
    """
    asked = tuple([message.header.field(number) for number in _ECHOED])
    if sum(map(len, asked)) > _LONGEST_HEAD:
        return None
    return _form(message.encoding, asked)


@lru_cache(maxsize=16)
def _stamp(time: datetime) -> str:
    return time.strftime(_STAMP)


@lru_cache(maxsize=256)
def _form(encoding: Encoding, asked: tuple[str, ...]) -> Form:
    header = Segment(f"MSH{encoding.field}{encoding.characters}", encoding)
    for number, raw in zip(_ECHOED, asked, strict=True):
        header.set_raw(number, raw)
    message = Message([header], encoding)
    if not _wanted(message, failed=False):
        return Form(encoding, wanted=False)
    answer = _head(message, "1", datetime(2000, 1, 1))  # noqa: DTZ001 - it is put in later
    fields, separator = answer.header.fields, answer.encoding.field
    code = "CA" if _enhanced(message) else "AA"
    return Form(
        encoding=answer.encoding,
        start=fields[0] + fields[1] + separator.join(fields[2:7]) + separator,
        type=separator + separator.join(fields[8:10]) + separator,
        verdict=f"{separator}{separator.join(fields[11:])}\rMSA{separator}{code}{separator}",
    )


def acknowledge_unreadable(
    data: bytes, *, control_id: str, time: datetime, problem: Problem
) -> bytes:
    """The acknowledgement of bytes that are no message: as much of their header as can be read."""
    return acknowledge(header_of(data), control_id=control_id, time=time, problems=(problem,))


def header_of(data: bytes) -> Message:
    """The header of bytes that cannot be read as a whole, or an empty one."""
    head = data[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").replace(b"\n", b"\r").split(b"\r")[0]
    head = bytes(byte if byte < 0x80 else 0x3F for byte in head)
    try:
        read_header(head)
        separator = head[3:4]
        fields = head.split(separator)
        if len(fields) > 17:
            fields[17] = b""  # the charset was wrong, or is not needed for this much
        return Message.parse(separator.join(fields), limits=LIMITS)
    except ReadError:
        return Message([Segment("MSH|^~\\&", Encoding())], Encoding())


def _enhanced(message: Message) -> bool:
    return bool(message.header.get(15))


def _wanted(message: Message, failed: bool) -> bool:
    if message.type in ("ACK", "MCF"):  # an acknowledgement is never acknowledged
        return False
    asked = message.header.get(15)
    return {"NE": False, "ER": failed, "SU": not failed}.get(asked or "AL", True)


def _head(message: Message, control_id: str, time: datetime) -> Message:
    asked = message.header
    version = message.version if message.version in VERSIONS else _FALLBACK_VERSION
    encoding = message.encoding
    if ABSENT in (encoding.component, encoding.repetition, encoding.escape, encoding.subcomponent):
        encoding = Encoding()
    wide = encoding.codec in ("utf-16", "utf-32")
    answer = Message.new(
        type="ACK",
        trigger=message.trigger if message.trigger.isalnum() else "",
        structure="ACK",
        version=version,
        control_id=control_id,
        time=time,
        processing_id=asked.get(11) if asked.get(11) in ("P", "T", "D") else "P",
        encoding=encoding,
    )
    if not wide:
        answer.header.set(18, None)  # nothing but ASCII, unless an echoed name is not
    for ours, theirs in ((3, 5), (4, 6), (5, 3), (6, 4)):
        answer.header.set_field(ours, *[asked.get(theirs, comp=part) for part in (1, 2, 3)])
    if not answer.to_text().isascii():
        answer.declare_charset()
    return answer


def _error(answer: Message, problem: Problem) -> None:
    segment, _, field = problem.location.partition("-")
    error = answer.add("ERR")
    if segment:
        error.set_field(2, segment, "1", field or None)
    error.set_field(3, problem.condition, CONDITIONS[problem.condition], "HL70357")
    error.set(4, problem.severity)
    error.set_field(5, problem.code, None, "L")
    error.set(7, problem.fix).set(8, problem.message)


def _old_error(answer: Message, problem: Problem) -> None:
    segment, _, field = problem.location.partition("-")
    error = answer.add("ERR")
    error.set_field(1, segment or None, "1" if segment else None, field or None)
    for sub, text in enumerate((problem.condition, CONDITIONS[problem.condition], "HL70357"), 1):
        error.set(1, text, comp=4, sub=sub)
