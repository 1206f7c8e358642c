"""An input of JSON is one document, or many one after another; nothing of it is skipped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.plugin import json_lines
from adapter.plugin.errors import DataError
from adapter.plugin.json_lines import json_documents
from adapter.plugin.window import Window

ONE = b'{"a": 1}'
MANY = json.dumps({"a": [1, {"b": 2}], "c": {"d": "}{"}}, indent=1).encode()
FLAT = MANY.replace(b"\n ", b"\n")
WRONG = "wrong"


def documents(data: bytes) -> list[bytes | str]:
    return [WRONG if isinstance(each, DataError) else each for each in json_documents([data])]


CASES: list[tuple[bytes, list[bytes | str]]] = [
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
]


@pytest.mark.parametrize(("data", "expected"), CASES)
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
    (error,) = (each for each in json_documents([data]) if isinstance(each, DataError))
    assert place in error.message


@pytest.mark.parametrize("line", [b'{"a":', b'{"a": [', b'{"a": "', b"{"])
def test_each_of_many_broken_documents_is_refused_by_itself(line: bytes) -> None:
    assert documents((line + b"\n") * 500 + ONE) == [*[WRONG] * 500, ONE]


def told(blocks: Iterable[bytes]) -> list[bytes | str]:
    """The documents, and of what is none all that is said of it."""
    return [str(each) if isinstance(each, DataError) else each for each in json_documents(blocks)]


def blocks_of(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    for size in sizes:
        if data:
            yield data[:size]
        data = data[size:]
    if data:
        yield data


PIECES = [
    ONE,
    MANY,
    FLAT,
    MANY[:-2],
    ONE[:4],
    b'{"a": "',
    b"\n",
    b"\r\n",
    b" ",
    b"x",
    b"}",
    b"\xef\xbb\xbf",
]


@given(st.lists(st.sampled_from(PIECES), max_size=9), st.lists(st.integers(1, 40)))
def test_however_an_input_comes_in_blocks_its_documents_are_the_same(
    parts: list[bytes], sizes: list[int]
) -> None:
    data = b"".join(parts)
    assert told(blocks_of(data, sizes)) == told([data])


@pytest.mark.parametrize("data", [data for data, _ in CASES])
def test_an_input_that_comes_byte_by_byte_has_the_same_documents(data: bytes) -> None:
    assert told(blocks_of(data, [1] * len(data))) == told([data])


@pytest.mark.parametrize("document", [ONE, MANY])
def test_a_document_comes_out_before_the_input_has_ended(document: bytes) -> None:
    read: list[int] = []

    def blocks() -> Iterator[bytes]:
        for number in range(100):
            read.append(number)
            yield document + b"\n"

    documents = json_documents(blocks())
    assert [next(documents) for _ in range(10)] == [document] * 10
    assert len(read) <= 12


def test_a_long_document_in_small_blocks_is_read_in_little_more_time_than_its_length() -> None:
    reads = []
    text = b'{"a": [\n' + b",\n".join([b'"' + b"x" * 1000 + b'"'] * 3000) + b"]}"

    class Counted(Window):
        def slide(self, at: int) -> None:
            super().slide(at)
            reads.append(len(self.data))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "Window", Counted)
        (found,) = json_documents(blocks_of(text, [1000] * len(text)))
    assert found == text
    assert sum(reads) < 8 * len(text)
