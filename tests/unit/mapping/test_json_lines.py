"""An input of JSON is one document, or many one after another; nothing of it is skipped."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.plugin.errors import DataError
from adapter.plugin.json_lines import json_documents

ONE = b'{"a": 1}'
MANY = json.dumps({"a": [1, {"b": 2}], "c": {"d": "}{"}}, indent=1).encode()
FLAT = MANY.replace(b"\n ", b"\n")
WRONG = "wrong"


def documents(data: bytes) -> list[bytes | str]:
    return [WRONG if isinstance(each, DataError) else each for each in json_documents(data)]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ONE, [ONE]),
        (MANY, [MANY]),
        (FLAT, [FLAT]),
        (b"\xef\xbb\xbf" + ONE + b"\r\n\r\n" + ONE, [ONE, ONE]),
        (MANY + b"\n" + MANY + b"\n\n" + ONE, [MANY, MANY, ONE]),
        (FLAT + b"\n" + FLAT, [FLAT, FLAT]),
        (ONE + ONE + b" " + MANY + ONE, [ONE, ONE, MANY, ONE]),
        (b"\x1e" + ONE + b"\n\x1e" + MANY + b"\n", [ONE, MANY]),
        (ONE + b"\nx\n" + ONE, [ONE, WRONG, ONE]),
        (b"x\n" + ONE, [WRONG, ONE]),
        (ONE[:4] + b"\n" + ONE[:5], [WRONG, WRONG]),
        (MANY[:-2] + b"\n" + MANY + b"\n" + MANY[:9] + b"\n" + ONE, [WRONG, MANY, WRONG, ONE]),
        (ONE + b"\nx\ny\n" + ONE[:4] + b"\nnull\n" + ONE, [ONE, *[WRONG] * 3, b"null", ONE]),
        (ONE[:4] + b"\nx\n" + ONE, [WRONG, WRONG, ONE]),
        (MANY.replace(b"1", b"one") + b"\n" + MANY, [WRONG, MANY]),
        (ONE + b"}\n" + ONE, [ONE, WRONG, ONE]),
        (b'{"a": "\n' + ONE + b"\n" + ONE, [WRONG, ONE, ONE]),
        (MANY[:-2], [MANY[:-2].strip()]),
        (b"\n\n" + MANY[:-2], [b"\n\n" + MANY[:-2].strip()]),
        (b"x\ny", [b"x\ny"]),
        (b"[1, 2]", [b"[1, 2]"]),
        (b"", [b""]),
        (b" \r\n", [b""]),
    ],
)
def test_an_input_is_cut_where_its_documents_end(data: bytes, expected: list[bytes | str]) -> None:
    assert documents(data) == expected


@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.text(), st.text() | st.lists(st.integers(), max_size=3), max_size=3),
            st.sampled_from([None, 0, 2]),
            st.sampled_from(["\n", "\r\n", "\n\n", " ", ""]),
        ),
        min_size=1,
    )
)
def test_every_document_comes_out_once_and_in_order_however_it_is_written(
    given_: list[tuple[dict[str, object], int | None, str]],
) -> None:
    texts = [json.dumps(value, ensure_ascii=False, indent=indent) for value, indent, _ in given_]
    ends = [end for _, _, end in given_]
    data = "".join(text + end for text, end in zip(texts, ends, strict=True)).encode()
    assert documents(data) == [text.encode() for text in texts]


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (ONE + b'\n{"a" 1}\n' + ONE, "line 2, column 6"),
        (MANY + b"\n\n" + MANY.replace(b'"b": 2', b'"b": two') + b"\n" + ONE, "line 17, column 9"),
        (ONE + b' {"a": tru} ' + ONE, "line 1, column 16"),
    ],
)
def test_a_broken_document_says_where_in_the_input_it_breaks(data: bytes, place: str) -> None:
    (error,) = (each for each in json_documents(data) if isinstance(each, DataError))
    assert place in error.message


@pytest.mark.parametrize("line", [b'{"a":', b'{"a": [', b'{"a": "', b"{"])
def test_each_of_many_broken_documents_is_refused_by_itself(line: bytes) -> None:
    assert documents((line + b"\n") * 500 + ONE) == [*[WRONG] * 500, ONE]
