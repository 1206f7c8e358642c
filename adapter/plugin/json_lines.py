"""JSON documents of one input: one, one a line (NDJSON), or one after another however written.

A document ends where its braces close. One that is broken takes nothing from the others: where
documents stand one a line, it ends with its line and those indented after it; else before the next
line that begins with a brace. It comes out as the error that says at which line of the input it
breaks. One document is in memory at a time, besides the input.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from adapter.plugin.errors import DataError

BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"[ \t\r\n\x1e]*")  # and the separator of RFC 7464, JSON text sequences
_TOKEN = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|[{}\[\]]')
_NEXT = re.compile(rb"\n\{")
_OWN_LINE = re.compile(rb"\n(?![ \t\r\n}\]])")
_DEEPEST = 256  # levels of nesting, beyond which nobody reads a document


def json_documents(data: bytes) -> Iterator[bytes | DataError]:
    """Each document in order; what is none is an error in its place.

    An input that is one document, broken or not, is given as it is, and one without anything as
    one empty document: to be refused by whoever reads it.
    """
    text = data.removeprefix(BOM)
    at, line, line_start, count, by_lines = 0, 1, 0, 0, False
    while (start := _after_blanks(text, at)) < len(text):
        line += text.count(b"\n", at, start)
        line_start = max(line_start, text.rfind(b"\n", at, start) + 1)
        end, of_line = _end(text, start, by_lines=by_lines)
        by_lines |= of_line
        piece = text[start:end].rstrip()
        if not count and _after_blanks(text, end) == len(text):
            yield piece if start == line_start == 0 else text.rstrip()
            return
        count += 1
        yield _checked(piece, line, start - line_start)
        line += text.count(b"\n", start, end)
        line_start = max(line_start, text.rfind(b"\n", start, end) + 1)
        at = end
    if not count:
        yield b""


def _checked(piece: bytes, line: int, before: int) -> bytes | DataError:
    """A document, or the error of one that begins in this line after so many characters."""
    try:
        orjson.loads(piece)
    except orjson.JSONDecodeError as error:
        column = error.colno + (before if error.lineno == 1 else 0)
        place = f"line {line + error.lineno - 1}, column {column} of the input"
        return DataError(
            "mapping.unreadable",
            f"not JSON at {place}",
            fix="send whole JSON documents, one a line or one after another",
        )
    return piece


def _after_blanks(text: bytes, at: int) -> int:
    found = _BLANK.match(text, at)
    assert found is not None
    return found.end()


def _end(text: bytes, start: int, *, by_lines: bool) -> tuple[int, bool]:
    """Where the document that begins here ends, and whether it is one of those one a line."""
    if text[start : start + 1] == b"{":
        of_line = _line_end(text, start)
        if _whole_line(text[start:of_line]):
            return of_line, True
        closed = _closed(text, start)
        if closed is not None:
            return closed, False
    if not by_lines:
        found = _NEXT.search(text, start)
        after = found.start() + 1 if found else len(text)
        by_lines = _whole_line(text[after : _line_end(text, after)])
    if by_lines:
        found = _OWN_LINE.search(text, start)
    return found.start() if found else len(text), by_lines


def _line_end(text: bytes, start: int) -> int:
    end = text.find(b"\n", start)
    return len(text) if end < 0 else end


def _whole_line(line: bytes) -> bool:
    """Whether a line is one object, cheaply where it is not."""
    if line.rstrip()[-1:] != b"}":
        return False
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _closed(text: bytes, start: int) -> int | None:
    """Where the braces and brackets that open here are closed; None if they are not."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        sign = token.group()
        if sign in (b"{", b"["):
            if depth and _begins_another(text, token.start()):
                return None
            depth += 1
            if depth > _DEEPEST:
                return None
        elif sign in (b"}", b"]"):
            depth -= 1
            if not depth:
                return token.end()
    return None


def _begins_another(text: bytes, at: int) -> bool:
    """Whether a brace at the beginning of a line cannot stand inside the document before it."""
    if text[at - 1 : at] != b"\n":
        return False
    before = at - 1
    while before and text[before : before + 1] in (b"\n", b"\r", b" ", b"\t"):
        before -= 1
    return text[before : before + 1] not in (b",", b"[", b":")
