"""JSON documents of one input: one, one a line (NDJSON), or one after another however written.

A document ends where its braces close. One that is broken takes nothing from the others: where
documents stand one a line, it ends with its line and those indented after it; else before the next
line that begins with a brace. It comes out as the error that says at which line of the input it
breaks. Of a long input, what is in memory is the document that is not seen to its end yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import orjson

from adapter.plugin.errors import DataError
from adapter.plugin.window import Window

BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"[ \t\r\n\x1e]*")  # and the separator of RFC 7464, JSON text sequences
_TOKEN = re.compile(rb'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|[{}\[\]]')
_NEXT = re.compile(rb"\n\{")
_OWN_LINE = re.compile(rb"\n(?![ \t\r\n}\]])")
_DEEPEST = 256  # levels of nesting, beyond which nobody reads a document


def json_documents(blocks: Iterable[bytes]) -> Iterator[bytes | DataError]:
    """Each document in order; what is none is an error in its place.

    The input comes in blocks, cut anywhere: a document comes out as soon as nothing that may follow
    could change it. An input that is one document, broken or not, is given as it is, and one
    without anything as one empty document: to be refused by whoever reads it.
    """
    window = Window(blocks, len(BOM))
    window.data = window.data.removeprefix(BOM)
    at, line, line_start, count, by_lines = 0, 1, 0, 0, False
    while True:
        text = window.data
        start = _after_blanks(text, at)
        found = None
        if start < len(text):
            found = _end(text, start, by_lines=by_lines, whole=window.whole)
        last = found is None or _after_blanks(text, found[0]) == len(text)
        if last and not window.whole:
            line_start -= at
            window.slide(at)
            at = 0
            continue
        if found is None:
            break
        line += text.count(b"\n", at, start)
        line_start = _line_start(text, at, start, line_start)
        end, of_line = found
        by_lines |= of_line
        piece = text[start:end].rstrip()
        if not count and last:
            yield piece if start == line_start == 0 else text.rstrip()
            return
        count += 1
        yield _checked(piece, line, start - line_start)
        line += text.count(b"\n", start, end)
        line_start = _line_start(text, start, end, line_start)
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


def _end(text: bytes, start: int, *, by_lines: bool, whole: bool) -> tuple[int, bool] | None:
    """Where the document that begins here ends, and whether it is one of those one a line.

    None if that may depend on what follows: the text is not `whole`.
    """
    if text[start : start + 1] == b"{":
        of_line = _line_end(text, start)
        if of_line == len(text) and not whole:
            return None
        if _whole_line(text[start:of_line]):
            return of_line, True
        closed = _closed(text, start)
        if closed is not None and closed >= 0:
            return closed, False
        if closed is None and not whole:
            return None
    if not by_lines:
        found = _NEXT.search(text, start)
        after = found.start() + 1 if found else len(text)
        of_line = _line_end(text, after)
        if of_line == len(text) and not whole:
            return None
        by_lines = _whole_line(text[after:of_line])
    if by_lines:
        found = _OWN_LINE.search(text, start)
    if not whole and (found is None or found.end() == len(text)):
        return None
    return found.start() if found else len(text), by_lines


def _line_start(text: bytes, at: int, end: int, before: int) -> int:
    """Where the last line begins of those between two places, if one does; else as before."""
    found = text.rfind(b"\n", at, end)
    return before if found < 0 else found + 1


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
    """Where the braces and brackets that open here are closed; None if they are not, and -1 if they
    cannot be, whatever follows."""
    depth = 0
    for token in _TOKEN.finditer(text, start):
        sign = token.group()
        if sign in (b"{", b"["):
            if depth and _begins_another(text, token.start()):
                return -1
            depth += 1
            if depth > _DEEPEST:
                return -1
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
