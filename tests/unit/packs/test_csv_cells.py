"""Cells of the CSV format: safe for spreadsheets, and each other's inverse."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.plugin.errors import DataError
from adapter.plugin.formats import DomainError, Settings
from adapter.referral.csv_cells import defuse, fuse, join, part
from adapter.referral.csv_codecs import CODECS, CellEnvironment
from adapter.referral.csv_columns import column_of, columns
from adapter.referral.csv_format import CsvFormat

FORMAT = CsvFormat()
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30)
RISKY = st.sampled_from(["=", "+", "-", "@", "\t", "'", "''", " =", "＝", "|", "%"])
ITEMS = st.text("ab;\\ '=|é\n", min_size=1, max_size=8).filter(lambda t: t == t.strip() and t)


@given(st.one_of(TEXT, st.builds(str.__add__, RISKY, TEXT)))
def test_what_is_defused_is_fused_again(value: str) -> None:
    assert fuse(defuse(value)) == value


@given(st.builds(str.__add__, RISKY, TEXT))
def test_no_written_cell_begins_with_a_formula(value: str) -> None:
    assert defuse(value).lstrip(" ")[:1] not in ("=", "+", "-", "@", "\t", "＝")


@given(st.lists(ITEMS))
def test_lists_come_back(items: list[str]) -> None:
    assert part(join(items)) == items


@given(
    st.dictionaries(
        st.sampled_from([c.name for c in columns().values() if not c.many]),
        TEXT.map(lambda t: t.replace("\r", "")).filter(str.strip),
        min_size=1,
    )
)
def test_any_row_is_read_as_it_was_written(tree: dict[str, str]) -> None:
    assert FORMAT.parse(FORMAT.dump(tree)) == tree


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_an_error_each(data: bytes) -> None:
    for each in FORMAT.split(data):
        assert isinstance(each, DataError) or FORMAT.parse(each) is not None


def test_a_written_file_has_a_byte_order_mark_and_quotes_every_cell() -> None:
    written = FORMAT.dump({"reason": "a;b", "client_phone": "+1 416 555 0100"})
    assert written.startswith(b"\xef\xbb\xbf")
    header, row = csv.reader(io.StringIO(written.decode("utf-8-sig"), newline=""))
    assert header == list(columns())
    assert row[header.index("client_phone")] == "'+1 416 555 0100"
    assert b'"a;b"' in written


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_and_marks_are_told(separator: str, mark: str) -> None:
    text = f"{mark}Reason code{separator}motif en mots\r\nno-capacity{separator}Complet\r\n"
    (row,) = FORMAT.split(text.encode())
    assert isinstance(row, bytes)
    assert FORMAT.parse(row) == {"reason_code": "no-capacity", "reason_text": "Complet"}


def test_files_put_together_read_as_one() -> None:
    one = FORMAT.dump({"referral_number": "1", "status": "accepted"})
    two = FORMAT.dump({"referral_number": "2", "status": "accepted"})
    parts = list(FORMAT.split(one + b"\n" + two + b"\n"))
    rows = [FORMAT.parse(each) for each in parts if isinstance(each, bytes)]
    assert [row["referral_number"] for row in rows] == ["1", "2"]


def test_a_wrong_row_has_its_line_and_the_others_go_on() -> None:
    data = b'referral_number,reason\n1,a\n2,b,c\n"3"x,d\n4,"e\nf"\n'
    found = list(FORMAT.split(data))
    assert [isinstance(each, DataError) for each in found] == [False, True, True, False]
    assert "line 3" in found[1].message  # type: ignore[union-attr]
    assert "line 4" in found[2].message  # type: ignore[union-attr]
    assert FORMAT.parse(found[3])["reason"] == "e\nf"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "csv.empty"),
        (b"reason\r\n", "csv.empty"),
        ("raison,motif\né,b".encode("latin-1"), "csv.encoding"),
        (b"reason\n\x00", "csv.encoding"),
        (b"colour,taste\nred,sweet\n", "csv.header"),
        (b"reason,status,reason\na,b,c\n", "csv.header"),
    ],
)
def test_files_that_are_none_say_why(data: bytes, code: str) -> None:
    with pytest.raises(DataError) as caught:
        FORMAT.parse(data)
    assert caught.value.code == code
    assert caught.value.fix


def test_unknown_columns_are_kept_for_the_loss_report_and_warned_of() -> None:
    data = b"reason,favourite colour\na,green\n"
    assert FORMAT.parse(data) == {"reason": "a", "favourite colour": "green"}
    assert [each.severity for each in FORMAT.validate(data)] == ["warning"]


def test_every_heading_means_one_column() -> None:
    headings = [c.name for c in columns().values()]
    headings += [label for c in columns().values() for label in c.label.values()]
    known: dict[str, str] = {}
    for column in columns().values():
        for heading in (column.name, *column.label.values()):
            assert known.setdefault(heading.casefold(), column.name) == column.name, heading
            assert column_of(heading.upper()) == column.name


def _read(codec: str, value: str, zone: str = "America/Toronto") -> object:
    return CODECS[codec]((), {}).read(value, CellEnvironment(Settings(timezone=zone)))


def test_local_times_are_of_the_site() -> None:
    assert _read("dateTime", "2026-03-02 09:15") == "2026-03-02T09:15-05:00"
    assert _read("dateTime", "2026-07-02 09:15:30") == "2026-07-02T09:15:30-04:00"
    assert _read("dateTime", "2026-07-02T09:15Z") == "2026-07-02T09:15Z"


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        ("date", "03/04/2026"),
        ("date", "2026-02-30"),
        ("dateTime", "2026-03-02 25:00"),
        ("boolean", "perhaps"),
        ("integer", "1.5"),
        ("decimal", "2,5"),
        ("identifier", "a|b|c"),
    ],
)
def test_what_a_column_cannot_mean_is_refused(codec: str, value: str) -> None:
    with pytest.raises(DomainError) as caught:
        _read(codec, value)
    assert value not in caught.value.why
