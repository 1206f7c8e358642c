"""JSON from a stranger: the same value every time, or a refusal, in bounded time and memory.

`loads` refuses what JSON libraries read in different ways or choke on: duplicate names, NaN and
Infinity, lone surrogates, text that is not UTF-8, nesting, arrays, strings, numbers and documents
beyond a limit. A UTF-8 byte order mark is skipped.

Numbers: an integer becomes int; a number with a fraction or exponent becomes float where the float
says exactly what was written, and Decimal where it would not (`1.10`, `0.12345678901234567890`), so
that `adapter.fhir.writer` writes back what came. FHIR asks for that: a decimal's precision means
something (https://hl7.org/fhir/R4/json.html#decimal).

Cost for a usual message: orjson's, to read it and to write it again (`adapter.fhir.written_again`).
One that does not come out as it came in is walked once; only a document with fractions that need
it, or one where a cheap count cannot rule a duplicate name out, is read a second time with the
standard library's parser, which sees every name and every digit.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

import orjson

from adapter.fhir.outcome import FATAL, Issue, operation_outcome
from adapter.fhir.written_again import written_again

BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_SPACE = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of everything: bytes of the document and of one string, levels of nesting, items in
    one array or object, arrays and objects in all, characters of one number."""

    size: int = 16 * 1024 * 1024
    string: int = 12 * 1024 * 1024
    depth: int = 64
    items: int = 100_000
    containers: int = 1_000_000
    number: int = 64


USUAL = Limits()


class UnsafeJson(ValueError):  # noqa: N818 - named for what it says
    """Input that is not JSON, or not safe to read; `code` is one word for the reason.

    Codes: empty, too-large, encoding, syntax, too-deep, too-many, too-long, number, duplicate-name.
    The message says what to change and quotes nothing of the input.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def issue(self) -> Issue:
        """The refusal as an issue."""
        limit = {"too-large", "too-deep", "too-many", "too-long"}
        kind = "too-long" if self.code in limit else "structure"
        return Issue(FATAL, kind, "", str(self), f"json-{self.code}")

    def outcome(self) -> dict[str, Any]:
        """The refusal as an OperationOutcome."""
        return operation_outcome([self.issue])


def loads(data: bytes, limits: Limits = USUAL) -> Any:
    """Return the JSON value of `data`; raises UnsafeJson."""
    if len(data) > limits.size:
        raise UnsafeJson("too-large", f"the document has more than {limits.size} bytes")
    if data.startswith(BOM):
        data = data[len(BOM) :]
    if data.startswith(_UTF_16):
        raise UnsafeJson("encoding", "the document is UTF-16; send it as UTF-8")
    if len(data) > limits.containers < data.count(b"{") + data.count(b"["):
        raise UnsafeJson("too-many", f"more than {limits.containers} arrays and objects")
    value = _parse(data)
    large = len(data) > min(limits.items, limits.string)
    if not large and written_again(value, data, limits.depth):
        return value
    names, fractions = _measure(value, limits, large=large)
    if fractions or _may_hide_duplicates(data, names):
        return _read_exactly(data, limits)
    return value


def _parse(data: bytes) -> Any:
    if not data.strip():
        raise UnsafeJson("empty", "the document is empty")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise _refusal(data, error) from None
    except RecursionError:
        raise UnsafeJson("too-deep", "the document is nested too deeply") from None


def _refusal(data: bytes, error: orjson.JSONDecodeError) -> UnsafeJson:
    at = f"line {error.lineno}, column {error.colno}"
    try:
        data.decode()
    except UnicodeDecodeError as wrong:
        return UnsafeJson("encoding", f"the document is not UTF-8 (byte {wrong.start})")
    said = str(error)
    if "surrogate" in said:
        return UnsafeJson("encoding", f"half of a surrogate pair at {at}")
    if "infinity" in said or "number" in said:
        return UnsafeJson("number", f"a number that cannot be read at {at}")
    if "depth" in said or "recursion" in said.lower():
        return UnsafeJson("too-deep", "the document is nested too deeply")
    return UnsafeJson("syntax", f"not JSON at {at}; NaN and Infinity are not JSON either")


def _measure(value: Any, limits: Limits, *, large: bool) -> tuple[int, bool]:
    """Return (number of names, whether any number is a float), holding the limits on the way.

    Level by level, so that nesting costs no recursion. Only a `large` document can hold too many
    items or too long a string.
    """
    names, depth, fractions = 0, 0, False
    level: list[Any] = [value]
    while level:
        nested = False
        below: list[Any] = []
        for one in level:
            kind = type(one)
            if kind is str:  # the most frequent, so asked first
                if large and len(one) > limits.string:
                    text = f"a string has more than {limits.string} characters"
                    raise UnsafeJson("too-long", text)
            elif kind is dict or kind is list:
                nested = True
                if large and len(one) > limits.items:
                    text = f"an array or object has more than {limits.items} items"
                    raise UnsafeJson("too-many", text)
                if kind is dict:
                    names += len(one)
                    below += one.values()
                else:
                    below += one
            elif kind is float:
                fractions = True
        depth += nested
        if depth > limits.depth:
            raise UnsafeJson("too-deep", f"nested more than {limits.depth} levels deep")
        level = below
    return names, fractions


def _may_hide_duplicates(data: bytes, names: int) -> bool:
    """Whether a cheap count leaves room for a duplicate name.

    Without white space each name of the document ends in `":`. Strings may hold that too and only
    raise the count. So when the count equals the names that survived parsing, none was lost.
    """
    return data.translate(None, _SPACE).count(b'":') != names


def _read_exactly(data: bytes, limits: Limits) -> Any:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            raise UnsafeJson("duplicate-name", "an object has the same name twice")
        return made

    def short(text: str) -> str:
        if len(text) > limits.number:
            raise UnsafeJson("number", f"a number has more than {limits.number} characters")
        return text

    decoder = json.JSONDecoder(
        object_pairs_hook=members,
        parse_float=lambda text: _number(short(text)),
        parse_int=lambda text: int(short(text)),
        parse_constant=_constant,
    )
    try:
        return decoder.decode(data.decode())
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, column {error.colno}"
        raise UnsafeJson("syntax", f"not JSON at {at}") from None


def _number(text: str) -> float | Decimal:
    """Return a float where it is written the same way, else a Decimal."""
    short = float(text)
    return short if repr(short) == text else Decimal(text)


def _constant(_name: str) -> NoReturn:
    raise UnsafeJson("syntax", "NaN and Infinity are not JSON")
