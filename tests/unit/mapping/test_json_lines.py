"""An input of JSON is one document, or one a line; nothing of it is skipped."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.plugin.json_lines import json_documents

ONE = b'{"a": 1}'
MANY = json.dumps({"a": [1, {"b": 2}], "c": {"d": 3}}, indent=1).encode()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ONE, [ONE]),
        (MANY, [MANY]),
        (b"\xef\xbb\xbf" + ONE + b"\r\n\r\n" + ONE, [ONE, ONE]),
        (ONE + b"\nx\n" + ONE, [ONE, b"x", ONE]),
        (b"x\n" + ONE, [b"x", ONE]),
        (ONE[:4] + b"\n" + ONE[:5], [ONE[:4], ONE[:5]]),
        (MANY[:-2], [MANY[:-2].strip()]),
        (MANY.replace(b"\n ", b"\n"), [MANY.replace(b"\n ", b"\n")]),
        (b"x\ny", [b"x\ny"]),
        (b"", [b""]),
        (b" \r\n", [b""]),
    ],
)
def test_an_input_is_cut_where_its_documents_end(data: bytes, expected: list[bytes]) -> None:
    assert list(json_documents(data)) == expected


@given(st.lists(st.dictionaries(st.text(), st.text() | st.integers()), min_size=1))
def test_every_line_of_objects_comes_out_once_and_in_order(
    objects: list[dict[str, object]],
) -> None:
    lines = [json.dumps(each, ensure_ascii=False).encode() for each in objects]
    assert list(json_documents(b"\n".join(lines))) == lines
