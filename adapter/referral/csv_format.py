"""The format `csv`: one referral event a row, for agencies whose software is a spreadsheet.

Reading takes commas, semicolons (as spreadsheets in French save them) or tabs, a byte order mark or
none, and any order of the columns; column names or labels in English or French. Writing gives UTF-8
with a byte order mark, CRLF and every column, each cell quoted and safe for spreadsheets
(`adapter.referral.csv_cells`). Several files written one after another read as one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adapter.plugin.errors import DataError
from adapter.plugin.formats import CodecMaker, Element, Finding, Leaf, PathError, Settings, Step
from adapter.plugin.json_paths import JsonNotation, json_leaves
from adapter.referral.csv_cells import defuse, fuse, join, part
from adapter.referral.csv_codecs import CODECS, CellEnvironment
from adapter.referral.csv_columns import column_of, columns

BOM = "\ufeff"
KIND = "referral"
_SEPARATORS = (",", ";", "\t")


class CsvNotation(JsonNotation):
    """Paths of a row: a column's name."""

    def element(self, steps: tuple[Step, ...]) -> Element:
        """See `adapter.plugin.formats.Notation.element`; types are ``text``.

        Raises:
            PathError: ``unknown-path`` or ``list-needs-index``.
        """
        if not steps:
            return Element(("row",))
        column = columns().get(str(steps[0].key))
        if column is None or len(steps) > 2:
            name = steps[0].key if column is None else steps[2].key
            raise PathError(f"there is no column {name}", fix="see docs/reference/csv.md")
        if len(steps) == 1:
            return Element(("text",), repeats=column.many)
        if not column.many or steps[1].kind == "key":
            raise PathError(
                f"{column.name} holds one value", fix="leave the rest away", code="list-needs-index"
            )
        return Element(("text",))


class CsvFormat:
    """Rows with fixed columns."""

    name = "csv"
    media_type = "text/csv"
    suffix = ".csv"
    codecs: Mapping[str, CodecMaker] = CODECS

    @property
    def head(self) -> bytes:
        """The byte order mark and the header: of many documents in a row, only the first has it."""
        return (BOM + _written([list(columns())], csv.QUOTE_MINIMAL)).encode()

    def split(self, data: bytes) -> Iterator[bytes | DataError]:
        """Each row with the header, as a file of its own; an error for a row that is none."""
        try:
            text = _decoded(data)
            separator = _separator(text)
        except DataError as error:
            yield error
            return
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header: list[str] | None = None
        count = 0
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                count += 1
                yield _wrong(line, str(error), "double the quotes inside a quoted cell")
                continue
            row = [row[0].removeprefix(BOM), *row[1:]] if row else row
            if not any(cell.strip() for cell in row):
                continue
            if header is None or _is_header(row):
                header = row
                continue
            count += 1
            if len(row) > len(header):
                reason = f"it has {len(row)} cells, and the header has {len(header)}"
                yield _wrong(line, reason, "quote cells that hold the separator")
                continue
            yield _written([header, row], csv.QUOTE_MINIMAL).encode()
        if not count:
            yield DataError("csv.empty", "the file has no rows", fix="send one row a referral")

    def parse(self, raw: bytes) -> dict[str, Any]:
        """One row as column names and cells: a text, or a list of texts. Empty cells are left out.

        Raises:
            DataError: not UTF-8, not CSV, no known column, or not one row.
        """
        parts = list(self.split(raw))
        for each in parts:
            if isinstance(each, DataError):
                raise each
        if len(parts) != 1:
            raise DataError(
                "csv.rows", f"expected one row, got {len(parts)}", fix="split the file by rows"
            )
        assert isinstance(parts[0], bytes)
        header, row = csv.reader(io.StringIO(parts[0].decode(), newline=""), strict=True)
        return _tree(_names(header), row)

    def dump(self, tree: Any) -> bytes:
        """Header and row, with a byte order mark; no line end after the last row."""
        cells = []
        for name, column in columns().items():
            value = tree.get(name, "")
            cells.append(defuse(join(value) if column.many and value else str(value)))
        return self.head + _written([cells], csv.QUOTE_ALL).removesuffix("\r\n").encode()

    def kind(self, tree: Any) -> str:
        """Every row is of one kind; the column ``kind`` says what it wants."""
        return KIND

    def leaves(self, tree: Any) -> Iterator[Leaf]:
        """Every cell once; each value of a list once."""
        return json_leaves(tree)

    def made_again(self, leaf: Leaf) -> str:
        """Every cell is meant."""
        return ""

    def notation(self, side: Mapping[str, Any]) -> CsvNotation:
        """Column names."""
        return CsvNotation()

    def reading(self, tree: Any, settings: Settings) -> CellEnvironment:
        """The site's settings."""
        return CellEnvironment(settings)

    def writing(
        self, document: Mapping[str, Any], settings: Settings, kind: str
    ) -> CellEnvironment:
        """The site's settings."""
        return CellEnvironment(settings)

    def validate(self, raw: bytes) -> Sequence[Finding]:
        """What is wrong with the file, row by row; columns that are not known are a warning."""
        found = [
            Finding("error", "", each.message)
            for each in self.split(raw)
            if isinstance(each, DataError)
        ]
        if found:
            return found
        for each in self.split(raw):
            assert isinstance(each, bytes)
            unknown = [name for name in self.parse(each) if name not in columns()]
            found.extend(Finding("warning", name, "no such column") for name in unknown)
        return found


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(
            "csv.encoding", "the file is not UTF-8", fix='save it as "CSV UTF-8"'
        ) from None
    if "\x00" in text:
        raise DataError("csv.encoding", "the file holds NUL characters", fix="save it as text")
    return text


def _separator(text: str) -> str:
    """The separator with which the first line has the most known columns.

    Raises:
        DataError: no column is known with any of them.
    """
    first = next((line for line in text.splitlines() if line.strip(" ,;\t")), "")
    if not first:
        raise DataError("csv.empty", "the file has no rows", fix="send one row a referral")
    found = {each: _known(_cells(first, each)) for each in _SEPARATORS}
    best = max(_SEPARATORS, key=lambda each: found[each])
    if not found[best]:
        raise DataError(
            "csv.header",
            "the first line has no known column",
            fix="begin with a line of column names, see docs/reference/csv.md",
        )
    return best


def _cells(line: str, separator: str) -> list[str]:
    return next(csv.reader([line], delimiter=separator), [])


def _known(cells: Sequence[str]) -> int:
    return sum(column_of(cell) is not None for cell in cells)


def _is_header(row: Sequence[str]) -> bool:
    """Whether a row is a header again: nothing in it but known column names, and at least two."""
    filled = [cell for cell in row if cell.strip()]
    return len(filled) > 1 and all(column_of(cell) is not None for cell in filled)


def _names(header: Sequence[str]) -> list[str]:
    names: list[str] = []
    for number, heading in enumerate(header, 1):
        name = column_of(heading) or heading.strip() or f"column {number}"
        if name in names:
            raise DataError(
                "csv.header",
                f"two columns are named {name}" if name in columns() else "a column stands twice",
                fix="keep one of them",
            )
        names.append(name)
    return names


def _tree(names: Sequence[str], row: Sequence[str]) -> dict[str, Any]:
    known = columns()
    tree: dict[str, Any] = {}
    for name, cell in zip(names, row, strict=False):
        value = fuse(cell.replace("\r\n", "\n").replace("\r", "\n"))
        if not value.strip():
            continue
        column = known.get(name)
        found = part(value) if column is not None and column.many else value
        if found:
            tree[name] = found
    return tree


def _written(rows: Sequence[Sequence[str]], quoting: Any) -> str:
    out = io.StringIO(newline="")
    csv.writer(out, quoting=quoting, lineterminator="\r\n").writerows(rows)
    return out.getvalue()


def _wrong(line: int, reason: str, fix: str) -> DataError:
    return DataError("csv.row", f"the row at line {line} cannot be read: {reason}", fix=fix)
