"""docs/reference/csv.md shows the columns as they are."""

from __future__ import annotations

from pathlib import Path

from adapter.referral.csv_columns import columns

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "csv.md"


def test_the_page_shows_every_column_with_both_labels() -> None:
    lines = PAGE.read_text(encoding="utf-8").split("## Columns")[1].splitlines()
    shown = [line.split(" | ") for line in lines if line.startswith("| `")]
    assert [row[0].strip("|` ") for row in shown] == list(columns())
    for row in shown:
        column = columns()[row[0].strip("|` ")]
        assert (row[1].strip() == "list") is column.many
        assert [row[2], row[3]] == [column.label["en"], column.label["fr"]]
