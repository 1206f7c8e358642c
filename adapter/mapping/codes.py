"""Code tables: CSV files that say which code is which, both ways."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapter.mapping.table import Fault, TableError, Where

COLUMNS = (
    "left_system", "left_code", "right_system", "right_code",
    "relationship", "display_en", "display_fr",
)  # fmt: skip
RELATIONSHIPS = ("equivalent", "equal", "wider", "narrower", "inexact")
_EXACT = ("equivalent", "equal")
_ICD_10 = re.compile(r"[A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?[*+†]?(?:-[A-Z][0-9]{2})?")
FORMS = {
    "http://snomed.info/sct": re.compile(r"[1-9][0-9]{5,17}"),
    "http://hl7.org/fhir/sid/icd-10": _ICD_10,
    "http://hl7.org/fhir/sid/icd-10-cm": _ICD_10,
    "http://loinc.org": re.compile(r"(?:L[AGLP]|MTHU)?[0-9]{1,7}(?:-[0-9])?"),
}
"""What codes of well-known systems look like: a code in another system's row is seen at once.

SNOMED CT: an identifier has 6 to 18 digits (Release File Specifications, SCTID). ICD-10: a letter,
two signs, and what follows a point; a block of them has a hyphen. LOINC: digits and a check digit,
parts and answers with their letters (LOINC Users' Guide).
"""


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One line of a code table."""

    left_system: str
    left_code: str
    right_system: str
    right_code: str
    relationship: str
    display_en: str
    display_fr: str
    line: int


@dataclass(frozen=True, slots=True)
class CodeTable:
    """A code table. `to_left` takes the exact row where several left codes share a right code."""

    name: str
    file: str
    rows: tuple[CodeRow, ...]
    to_right: Mapping[str, str]
    to_left: Mapping[str, str]


def read_codes(text: str, file: str, name: str) -> CodeTable:
    """A code table out of CSV text.

    Raises:
        TableError: with every fault (`codes-columns`, `codes-ambiguous`, `codes-relationship`,
            `codes-form`).
    """
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff"), newline=""), strict=True)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        fault = Fault(
            Where(file, 1, 1),
            "codes-columns",
            "the first line is not the columns of a code table",
            f"write {','.join(COLUMNS)}",
        )
        raise TableError([fault])
    rows: list[CodeRow] = []
    faults: list[Fault] = []
    try:
        for each in reader:
            where = Where(file, reader.line_num, 1)
            wrong = _row_fault(each, where)
            if wrong is not None:
                faults.append(wrong)
            else:
                rows.append(CodeRow(**{key: each[key] for key in COLUMNS}, line=where.line))
    except csv.Error as error:
        where = Where(file, reader.line_num + 1, 1)  # the line after the last good one
        faults.append(Fault(where, "codes-columns", f"not CSV: {error}", "mend the line"))
    to_right = _chosen(rows, "left_code", "right_code", file, faults)
    to_left = _chosen(rows, "right_code", "left_code", file, faults)
    if faults:
        raise TableError(faults)
    return CodeTable(name, file, tuple(rows), to_right, to_left)


def _row_fault(row: Mapping[Any, Any], where: Where) -> Fault | None:
    if None in row or None in row.values():
        said = f"the line does not have {len(COLUMNS)} cells"
        return Fault(where, "codes-columns", said, "give each column its cell, empty or not")
    if not row["left_code"] and not row["right_code"]:
        return Fault(where, "codes-columns", "the line names no code", "name one, or both")
    if row["relationship"] not in RELATIONSHIPS:
        said, fix = "the relationship is not a word of this language", ", ".join(RELATIONSHIPS)
        return Fault(where, "codes-relationship", said, f"use one of {fix}")
    for side in ("left", "right"):
        system, code = row[f"{side}_system"], row[f"{side}_code"]
        if code and system in FORMS and not FORMS[system].fullmatch(code):
            said = f"the {side} code does not look like one of {system}"
            return Fault(where, "codes-form", said, "correct the code, or name its own system")
    return None


def _chosen(
    rows: list[CodeRow], source: str, target: str, file: str, faults: list[Fault]
) -> dict[str, str]:
    groups: dict[str, list[CodeRow]] = {}
    for row in rows:
        if getattr(row, source):
            groups.setdefault(getattr(row, source), []).append(row)
    chosen: dict[str, str] = {}
    for code, group in groups.items():
        exact = [row for row in group if row.relationship in _EXACT]
        if len(group) > 1 and len(exact) != 1:
            faults.append(
                Fault(
                    Where(file, group[1].line, 1),
                    "codes-ambiguous",
                    f"{len(group)} rows share the {source.replace('_', ' ')} {code}, and "
                    f"{len(exact)} of them are equivalent",
                    "mark exactly one of them equivalent; it is the way to go",
                )
            )
            continue
        row = exact[0] if exact else group[0]
        if getattr(row, target):
            chosen[code] = getattr(row, target)
    return chosen
