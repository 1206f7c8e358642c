"""What was asked and answered, fit to be shown: names and shapes stay, values go.

A report goes to people who may see nothing about a person. So a body keeps its structure and the
few values that say what happened (types, statuses, codes of faults); a header keeps its value only
if it is one of the protocol; an address keeps its path where it is words and plain ids, and loses
every value of its query that is no setting. Planted values and secrets are taken out once more at
the end, wherever they stand.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from adapter_conformance.planted import PEER_TEXT, PERSON, SECRET

if TYPE_CHECKING:
    import httpx

GONE = "…"
SHOWN_HEADERS = frozenset(
    [
        "accept",
        "allow",
        "content-length",
        "content-type",
        "date",
        "etag",
        "if-match",
        "if-none-match",
        "last-modified",
        "prefer",
        "retry-after",
        "server",
        "www-authenticate",
    ]
)
SHOWN_KEYS = frozenset(
    [
        "fhirVersion",
        "intent",
        "kind",
        "method",
        "mode",
        "relation",
        "resourceType",
        "result",
        "severity",
        "state",
        "status",
        "total",
        "type",
        "use",
        "versionId",
        "lifecycle",
    ]
)
SHOWN_PARAMETERS = frozenset(
    ["_count", "_include", "_revinclude", "_sort", "_summary", "_total", "intent", "status"]
)
_WORD = re.compile(r"[A-Za-z0-9$_.:/|+;=*, -]{1,60}\Z")
_HEADER = re.compile(r"[A-Za-z0-9$_.:/|+;=*, \"-]{1,100}\Z")
_SEGMENT = re.compile(r"(?:[A-Za-z_$-]{1,40}|[0-9]{1,6}|[0-9a-f]{8}-[0-9a-f-]{27})\Z")
DEEPEST, LONGEST = 12, 40


@dataclass(frozen=True, slots=True)
class Said:
    """One side of an exchange: the first line, headers and the body, all redacted."""

    line: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None

    def as_document(self) -> dict[str, Any]:
        """For the report."""
        return {"line": self.line, "headers": dict(self.headers), "body": self.body}


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was asked, and what came back; None: nothing did."""

    request: Said
    response: Said | None

    def as_document(self) -> dict[str, Any]:
        """For the report."""
        answered = self.response.as_document() if self.response else None
        return {"request": self.request.as_document(), "response": answered}


Heard = deque[Callable[[], Exchange]]
HEARD: ContextVar[Heard | None] = ContextVar("HEARD", default=None)
"""Where the exchanges of the check that runs now are kept; few are ever shown, so they are made
when they are."""
SHOWN = 3
"""Exchanges that a failure shows: the last ones before it."""


def listening() -> Heard:
    """A place for the last exchanges of a check; it does not grow."""
    return deque(maxlen=SHOWN)


def hear(exchange: Callable[[], Exchange]) -> None:
    """Keep one for the report of the check that runs now."""
    heard = HEARD.get()
    if heard is not None:
        heard.append(exchange)


def hear_http(request: httpx.Request, response: httpx.Response | None) -> None:
    """Keep a request whose body was read, and its answer if there was one."""

    def show() -> Exchange:
        asked = http_request(
            request.method, str(request.url), dict(request.headers), request.content
        )
        if response is None:
            return Exchange(asked, None)
        body = response.content
        return Exchange(asked, http_response(response.status_code, response.headers, body))

    hear(show)


def last(heard: Heard) -> tuple[Exchange, ...]:
    """What a failure shows."""
    return tuple(each() for each in tuple(heard))  # others may still be heard meanwhile


def http_request(
    method: str, url: str, headers: Mapping[str, str], body: bytes, secrets: Iterable[str] = ()
) -> Said:
    """A request, redacted."""
    return _clean(Said(f"{method} {address(url)}", _headers(headers), _body(body)), secrets)


def http_response(
    status: int, headers: Mapping[str, str], body: bytes, secrets: Iterable[str] = ()
) -> Said:
    """An answer, redacted."""
    return _clean(Said(f"HTTP {status}", _headers(headers), _body(body)), secrets)


def address(url: str) -> str:
    """The path of an address, and the names of its parameters."""
    parts = urlsplit(url)
    path = "/".join(each if not each or _SEGMENT.match(each) else GONE for each in _split(parts))
    pairs = [
        f"{name if _WORD.match(name) else GONE}="
        f"{text if name in SHOWN_PARAMETERS and _WORD.match(text) else GONE}"
        for name, text in parse_qsl(parts.query, keep_blank_values=True)
    ]
    return path + (f"?{'&'.join(pairs)}" if pairs else "")


def _split(parts: Any) -> list[str]:
    path: str = parts.path
    return path.split("/")


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name.lower(): value if name.lower() in SHOWN_HEADERS and _HEADER.match(value) else GONE
        for name, value in headers.items()
    }


def _body(body: bytes) -> Any:
    if not body:
        return None
    try:
        return redacted(orjson.loads(body))
    except orjson.JSONDecodeError:
        return f"{len(body)} bytes that are no JSON"


def redacted(value: Any, key: str = "", depth: int = 0) -> Any:
    """A JSON value with its names, and no values but those that say what happened."""
    if depth > DEEPEST:
        return GONE
    if isinstance(value, dict):
        faulty = value.get("severity") is not None
        return {
            name if _WORD.match(name) else GONE: (
                each
                if faulty and name == "code" and isinstance(each, str) and _WORD.match(each)
                else redacted(each, name, depth + 1)
            )
            for name, each in list(value.items())[:LONGEST]
        }
    if isinstance(value, list):
        return [redacted(each, key, depth + 1) for each in value[:LONGEST]]
    if value is None or isinstance(value, bool):
        return value
    if key == "reference" and isinstance(value, str):
        return address(value)
    if key in SHOWN_KEYS and _WORD.match(str(value)):
        return value
    return GONE


def hear_message(name: str, sent: bytes, answer: bytes | None = None) -> None:
    """Keep an exchange of a protocol whose messages are not JSON: their kinds and sizes alone."""

    def show() -> Exchange:
        came = None if answer is None else Said(f"{name}: {shape(answer)}")
        return Exchange(Said(f"{name}: {shape(sent)}"), came)

    hear(show)


def shape(raw: bytes) -> str:
    """An HL7 v2 message as its segments and the codes that say what happened; else its size."""
    size = f"{len(raw)} bytes"
    text = raw.decode("utf-8", "replace").strip("\x0b\x1c\r\n")
    if not text.startswith("MSH") or len(text) < 8:
        return size
    rows = [row.split(text[3]) for row in re.split(r"[\r\n]+", text) if row]
    names = " ".join(row[0] if re.fullmatch("[A-Z][A-Z0-9]{2}", row[0]) else GONE for row in rows)
    kinds = [row[8] for row in rows if row[0] == "MSH" and len(row) > 8]
    codes = [row[1] for row in rows if row[0] == "MSA" and len(row) > 1]
    said = [each for each in (*kinds, *codes) if re.fullmatch(r"[A-Z0-9^_&~]{2,20}", each)]
    return f"{' '.join(said)} ({names}; {size})"


def _clean(said: Said, secrets: Iterable[str]) -> Said:
    """Without planted values and secrets, wherever one may still stand."""
    markers = [each for each in (*PERSON, SECRET, PEER_TEXT, *secrets) if each]
    return Said(
        _without(said.line, markers),
        {_without(name, markers): _without(text, markers) for name, text in said.headers.items()},
        _swept(said.body, markers),
    )


def _swept(value: Any, markers: list[str]) -> Any:
    if isinstance(value, dict):
        return {_without(name, markers): _swept(each, markers) for name, each in value.items()}
    if isinstance(value, list):
        return [_swept(each, markers) for each in value]
    return _without(value, markers) if isinstance(value, str) else value


def _without(text: str, markers: list[str]) -> str:
    for marker in markers:
        text = text.replace(marker, GONE)
    return text
