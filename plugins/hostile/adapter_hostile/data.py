"""Messages as nasty as bytes allow: what peers send on their worst day, and what attackers try.

All of it is invented. Every message that can be one is a request of the example's format, so that
whoever reads it must carry the text, refuse the message, or set it aside; never fail, never run it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

TEXTS = {
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>&amp;&#0;",
    "sql": "Robert'); DROP TABLE referrals;--",
    "template": "{{7*7}}${7*7}<%= 7*7 %>#{7*7}",
    "formula": '=HYPERLINK("http://127.0.0.1:9";"x")',
    "hl7v2": "A|B^C~D\\E&F\rMSH|^~\\&|FORGED\rZZZ|1",
    "mllp": "\x0bMSH|^~\\&|\x1c\r",
    "mail header": "Synthetic\r\nBcc: everybody@agency.example",
    "log line": "ok\n2026-01-15T10:00:00Z CRITICAL forged",
    "path": "../../../../etc/passwd\x00.json",
    "direction": "\u202etxet desrever\u202c \u2066isolated\u2069",
    "combining": "a" + "\u0301" * 2000,
    "joiners": "\U0001f9d1\u200d\U0001f91d\u200d\U0001f9d1" * 300,
    "separators": "one\u2028two\u2029three\u0085four\ufeff",
    "control": "".join(chr(number) for number in range(1, 32)),
    "noncharacters": "\ufffe\uffff\U0010ffff\ufffd",
    "spaces": "\u00a0\u2003\t \u3000",
    "escape": "\x1b[2J\x1b]0;owned\x07",
    "format": "%s%n%x{0}{self.__class__}",
    "long": "x" * 200_000,
}
DATES = (
    "2026-02-30T25:61:00Z",
    "0000-00-00",
    "10000-01-01T00:00:00Z",
    "yesterday",
    "",
    "١٥-٠١-٢٠٢٦",
)


def request(number: int, **more: Any) -> dict[str, Any]:
    """A request of an invented person."""
    return {
        "type": "request",
        "id": f"h-{number}",
        "sent": "2026-01-15T10:00:00-05:00",
        "test": True,
        "number": f"H-{number}",
        "wanted": "Lonely since the move.",
        "priority": "routine",
        "client": {"number": f"S-{number}", "family": "Synthetic", "given": "Hostile"},
        "work": f"hw-{number}",
        "status": "asked",
        **more,
    }


def objects() -> Iterator[tuple[str, Any]]:
    """Nasty messages that are JSON, each with what is nasty about it."""
    number = 0
    for name, text in TEXTS.items():
        number += 1
        client = {"number": f"S-{number}", "family": text, "given": text}
        yield f"text: {name}", request(number, wanted=text, client=client)
    for date in DATES:
        number += 1
        yield f"date: {date!r}", request(number, sent=date)
    for name, more in _shapes():
        number += 1
        yield f"shape: {name}", request(number) | more
    yield "same id, other content", request(1, wanted="something else")
    yield "an id that is a path", request(0, id="../../outbox?x=1#y")
    yield "an id that is long", request(0, id="i" * 100_000)
    yield "no id", {"type": "request"}
    yield "no object", ["request"]
    yield "nothing", None


def _shapes() -> Iterator[tuple[str, dict[str, Any]]]:
    yield "a list for a text", {"wanted": ["a", "b"]}
    yield "a text for an object", {"client": "somebody"}
    yield "a number for a text", {"number": 10**15}
    yield "a text for a flag", {"test": "yes"}
    yield "nulls", dict.fromkeys(("wanted", "priority", "client", "status"))
    yield "a status that nobody knows", {"status": "resurrected"}
    yield "many notes", {"notes": [{"text": f"note {each}"} for each in range(2000)]}
    yield "unknown names", {f"x{each}": each for each in range(2000)}
    yield "names of the language", {"__class__": {}, "__proto__": {"admin": True}, "constructor": 1}
    yield "empty names", {"": "", " ": {"": [{}, [], None]}}
    yield "deep", {"more": _deep(100)}


def _deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = {"a": [value]}
    return value


def raws() -> Iterator[tuple[str, bytes]]:
    """Nasty bytes: every object as JSON, and what is none."""
    for name, value in objects():
        yield name, orjson.dumps(value)
    good = orjson.dumps(request(900))
    yield "cut off", good[: len(good) // 2]
    yield "twice", good + good
    yield "a byte order mark", b"\xef\xbb\xbf" + good
    yield "UTF-16", good.decode().encode("utf-16")
    yield "Latin-1", b'{"type":"request","id":"h-901","wanted":"\xe9\xff"}'
    yield "half a surrogate", b'{"type":"request","id":"h-902","wanted":"\\ud800"}'
    yield "a name twice", b'{"type":"request","id":"h-903","id":"h-904","number":"1","number":"2"}'
    yield "not a number", b'{"type":"request","id":"h-905","number":NaN}'
    yield "a huge number", b'{"type":"request","id":"h-906","number":1e999}'
    yield "too deep", b'{"type":"request","id":"h-907","more":' + b"[" * 5000 + b"]" * 5000 + b"}"
    yield "nothing at all", b""
    yield "zeros", bytes(4096)
    yield "a login page", b"<!DOCTYPE html><title>Log in</title>"


def program(id: Any, **more: Any) -> dict[str, Any]:
    """A program of an invented club, as the example's peers list them."""
    return {"id": id, "name": {"en": "Garden"}, "organization": "Synthetic Garden Club", **more}


def good_programs() -> list[dict[str, Any]]:
    """Two that are as they should be, one of them full."""
    return [program("good-1"), program("good-2", room={"status": "full"})]
