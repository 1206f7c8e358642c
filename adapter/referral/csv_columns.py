"""The columns of the referral CSV file: names, labels in English and French, one value or a list.

The columns are data (``csv_columns.csv``); docs/reference/csv.md shows the same table to people.
A header cell may hold a column's name or either label, in any case: people translate headers.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. `many` says that a cell holds several values, separated by ``; ``."""

    name: str
    many: bool
    label: Mapping[str, str]
    meaning: Mapping[str, str]


@cache
def columns() -> Mapping[str, Column]:
    """Every column by its name, in the order in which a file is written."""
    text = (resources.files("adapter.referral") / "csv_columns.csv").read_text("utf-8")
    return {
        row["name"]: Column(
            name=row["name"],
            many=row["kind"] == "list",
            label={"en": row["label_en"], "fr": row["label_fr"]},
            meaning={"en": row["meaning_en"], "fr": row["meaning_fr"]},
        )
        for row in csv.DictReader(io.StringIO(text))
    }


@cache
def _by_heading() -> Mapping[str, str]:
    known: dict[str, str] = {}
    for column in columns().values():
        for heading in (column.name, *column.label.values()):
            known[_plain(heading)] = column.name
    return known


def _plain(heading: str) -> str:
    return " ".join(heading.replace("\u2019", "'").split()).casefold()


def column_of(heading: str) -> str | None:
    """The name of the column that a header cell means, or None."""
    return _by_heading().get(_plain(heading))
