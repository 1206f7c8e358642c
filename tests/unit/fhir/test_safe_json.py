"""Safe JSON: the same value every time or a refusal, in bounded time and memory."""

from __future__ import annotations

import contextlib
import json
import math
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.fhir import written_again
from adapter.fhir.checks import check
from adapter.fhir.safe_json import USUAL, Limits, UnsafeJson, loads
from adapter.fhir.writer import dump

REFUSED: list[tuple[str, bytes, str]] = [
    ("a name twice", b'{"a":1,"a":2}', "duplicate-name"),
    ("a name twice, spaced", b'{"a" :1,"a":2}', "duplicate-name"),
    ("a name twice, once escaped", b'{"a":1,"\\u0061":2}', "duplicate-name"),
    ("a name twice, hidden by a string", b'{"a":1,"a" :2,"b":"\\u0022:"}', "duplicate-name"),
    ("a name twice, hidden by white space", b'{"a"\n:1,"a"\t:2}', "duplicate-name"),
    ("a name twice, deep down", b'[1,{"x":{"y":1,"z":[{"y":1,"y":2}]}}]', "duplicate-name"),
    (
        "a resource type twice",
        b'{"resourceType":"Patient","resourceType":"Task"}',
        "duplicate-name",
    ),
    ("NaN", b'{"a":NaN}', "syntax"),
    ("Infinity", b'{"a":Infinity}', "syntax"),
    ("minus Infinity", b"[-Infinity]", "syntax"),
    ("a number that becomes infinite", b"[1e999]", "number"),
    ("a number of many digits", b"[" + b"1" * 80 + b"]", "number"),
    ("a fraction of many digits", b"[1." + b"1" * 80 + b"]", "number"),
    ("a leading zero", b"[01]", "number"),
    ("half a surrogate pair", b'["\\ud800"]', "encoding"),
    ("the other half", b'["\\udc00 x"]', "encoding"),
    ("half a pair in a name", b'{"\\ud83d":1}', "encoding"),
    ("bytes that are not UTF-8", b'["\xff\xfe"]', "encoding"),
    ("Latin-1", b'{"a":"\xe9"}', "encoding"),
    ("UTF-16", '{"a":1}'.encode("utf-16"), "encoding"),
    ("65 levels", b"[" * 65 + b"]" * 65, "too-deep"),
    ("5000 levels", b"[" * 5000 + b"]" * 5000, "too-deep"),
    ("unclosed levels", b'{"a":' * 100_000, "too-deep"),
    ("nothing", b"", "empty"),
    ("white space", b" \n\t ", "empty"),
    ("a comma too many", b"[1,]", "syntax"),
    ("single quotes", b"{'a':1}", "syntax"),
    ("a comment", b"[1] // one", "syntax"),
    ("two documents", b"{} {}", "syntax"),
    ("a control character", b'["\x01"]', "syntax"),
]


@pytest.mark.parametrize(
    ("data", "code"), [(d, c) for _, d, c in REFUSED], ids=[n for n, *_ in REFUSED]
)
def test_what_is_not_safe_is_refused_by_a_word(data: bytes, code: str) -> None:
    with pytest.raises(UnsafeJson) as caught:
        loads(data)
    assert caught.value.code == code
    outcome = caught.value.outcome()
    assert outcome["issue"][0]["severity"] == "fatal"
    assert check(outcome) == []


@pytest.mark.parametrize(
    "data",
    [
        b'{"secret":"Testpatient","secret":1}',
        b'{"secret": Testpatient}',
        b'{"Testpatient\\ud800":1}',
    ],
)
def test_a_refusal_quotes_nothing_of_the_input(data: bytes) -> None:
    with pytest.raises(UnsafeJson) as caught:
        loads(data)
    assert "Testpatient" not in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'\xef\xbb\xbf{"a":1}', {"a": 1}),
        (b' {"a" : ["b:", "\\":"]} \n', {"a": ["b:", '":']}),
        (b'{"a":{"b":1},"c":{"b":1}}', {"a": {"b": 1}, "c": {"b": 1}}),
        (b'{"a":":","b":"\\u0022:\\u003a"}', {"a": ":", "b": '"::'}),
        (b'["\\ud83d\\ude00"]', ["😀"]),
        (b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64)),
        (b"true", True),
        (b"[-0,9007199254740993]", [0, 9007199254740993]),
    ],
)
def test_what_is_safe_is_read(data: bytes, value: Any) -> None:
    assert loads(data) == value


@pytest.mark.parametrize("text", ["1.10", "0.00", "100.0", "0.12345678901234567890", "1e2", "6.0"])
def test_a_decimal_comes_back_digit_for_digit(text: str) -> None:
    value = loads(f'{{"value":{text}}}'.encode())
    assert Decimal(dump(value).decode().removeprefix('{"value":').removesuffix("}")).as_tuple() == (
        Decimal(text).as_tuple()
    )


def test_a_plain_fraction_stays_a_float() -> None:
    assert type(loads(b"[1.5]")[0]) is float


@pytest.mark.parametrize(
    ("limits", "data", "code"),
    [
        (Limits(size=10), b'{"a":"bcdefgh"}', "too-large"),
        (Limits(string=10), b'{"a":"' + b"b" * 11 + b'"}', "too-long"),
        (Limits(items=3), b"[1,2,3,4]", "too-many"),
        (Limits(items=3), b'{"a":1,"b":2,"c":3,"d":4}', "too-many"),
        (Limits(containers=3), b"[[],[],[],[]]", "too-many"),
        (Limits(depth=2), b"[[[]]]", "too-deep"),
    ],
)
def test_each_limit_is_held(limits: Limits, data: bytes, code: str) -> None:
    with pytest.raises(UnsafeJson) as caught:
        loads(data, limits)
    assert caught.value.code == code


BOMBS = {
    "many arrays": b"[" + b"[]," * 3_000_000 + b"[]]",
    "one long array": b"[" + b"1," * 4_000_000 + b"1]",
    "one name, often": b"{" + b'"a":1,' * 400_000 + b'"a":1}',
    "depth": b"[" * 8_000_000,
    "objects in objects": b'{"a":' * 1_000_000,
    "a long number": b"1" * 8_000_000,
    "a long fraction": b"0." + b"1" * 8_000_000,
    "many fractions": b"[" + b"1.10," * 90_000 + b"1]",
    "escapes": b'"' + b"\\u0041" * 2_000_000 + b'"',
    "open strings": b'"' * 4_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_little_time_and_memory(name: str) -> None:
    data = BOMBS[name]
    tracemalloc.start()
    before = time.process_time()
    with contextlib.suppress(UnsafeJson):
        loads(data)
    spent = time.process_time() - before
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert spent < 10
    assert peak < 40 * len(data) + 1_000_000


SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text()
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


def _storable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@settings(max_examples=120, deadline=None)
@given(VALUES.filter(_storable), st.sampled_from([None, 1, "\t"]), st.booleans())
def test_it_reads_what_the_standard_library_writes(
    value: Any, indent: Any, ascii_only: bool
) -> None:
    data = json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()
    assert _plain(loads(data)) == _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


@settings(max_examples=120, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "\\u0061", '\\"']), st.integers(0, 9)), max_size=5
    )
)
def test_a_doubled_name_never_passes(pairs: list[tuple[str, int]]) -> None:
    data = "{" + ",".join(f'"{name}":{number}' for name, number in pairs) + "}"
    names = [json.loads(f'"{name}"') for name, _ in pairs]
    if len(set(names)) == len(names):
        assert loads(data.encode()) == dict(zip(names, (n for _, n in pairs), strict=True))
    else:
        with pytest.raises(UnsafeJson):
            loads(data.encode())


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from("[{"), min_size=62, max_size=67), st.sampled_from(["", " ", "\n"]))
def test_levels_are_counted_exactly_whatever_they_are_made_of(kinds: list[str], space: str) -> None:
    text = "".join("[" if kind == "[" else f'{{"a":{space}' for kind in kinds)
    text += "1" + "".join("]" if kind == "[" else "}" for kind in reversed(kinds))
    if len(kinds) <= USUAL.depth:
        assert loads(text.encode()) == json.loads(text)
    else:
        with pytest.raises(UnsafeJson) as refused:
            loads(text.encode())
        assert refused.value.code == "too-deep"


def test_threads_read_their_own_documents_and_nothing_stays_behind() -> None:
    documents = [b'{"number":%d,"text":"%s"}' % (n, b"x" * n) for n in range(400)]
    with ThreadPoolExecutor(4) as threads:
        read = list(threads.map(loads, documents))
    assert [each["number"] for each in read] == list(range(400))
    loads(documents[1])
    assert all(inner == [] for _, inner in written_again._nests.made.values())


@settings(max_examples=120, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        value = loads(data)
    except UnsafeJson:
        return
    assert not (isinstance(value, float) and math.isnan(value))
