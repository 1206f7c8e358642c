"""JSON documents of one input: one, or one a line (NDJSON), whatever stands between them."""

from __future__ import annotations

from collections.abc import Iterator

import orjson


def json_documents(data: bytes) -> Iterator[bytes]:
    """The one document, or each line that is not blank; what is none is given as it is.

    An input that is no JSON as a whole is read by lines if a line of it is an object, or if each
    looks like one: so a line that is broken takes nothing from the others, and a document over
    many lines that is broken is one. An input without anything is given as one empty document.
    """
    text = data.removeprefix(b"\xef\xbb\xbf").strip()
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or _whole(text):
        yield text
    elif all(line.lstrip()[:1] == b"{" for line in lines) or any(map(_object, lines)):
        yield from lines
    else:
        yield text


def _whole(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _object(line: bytes) -> bool:
    """Whether a line that is not indented is a whole object."""
    return line[:1] == b"{" and line.rstrip()[-1:] == b"}" and _whole(line)
