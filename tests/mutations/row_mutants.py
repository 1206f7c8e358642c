"""Every small mistake that a hand could make in a mapping pack, one at a time.

A mutant is one change of one line (or of one block): a row dropped, an arrow turned, a constant or
a default changed, a codec bent or left out, an option left out; of a code table, a row dropped or
its code swapped with the next, a code moved to another system. Mutants are made from the text, so
that what is tested is what a person would save.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ARROWS = ("<->", "->", "<-")
KINDS = ("drop", "arrow", "const", "codec", "option", "code", "system")
_ROW = re.compile(r"^(?P<indent> *)- \[")
_BLOCK = re.compile(r"^(?P<indent> *)- (?:each|with|use): ")
_ARROW = re.compile(r"(?<=[ ,])(<->|->|<-)(?=,)")
_CONST = re.compile(r"(?P<head>\{const: |default: )(?P<value>\"[^\"]*\"|[^},\]]+)")
_OPTION = re.compile(
    r", (?:when: \{[^}]*\}|absent: [^,\]]+|default: [^,\]]+|fallback: true|else: \w+)"
)
_CODEC = re.compile(r"^, ?\s*(?P<codec>[a-z][a-zA-Z-]*(?:\([^)]*\))?)(?=[,\]])")
_BENT = {
    "date": "dateTime", "dateTime": "date", "instant": "date", "lines": "text", "name": "person",
    "person": "name", "concept": "coding", "coding": "text", "codings": "coding",
    "identifier": "entity", "entity": "text", "phone": "text", "address": "text",
    "quantity": "decimal", "integer": "text", "decimal": "integer", "boolean": "text",
    "attachment": "text", "items": "copy", "copy": "text", "period": "copy", "time": "text",
    "flag": "boolean", "reference": "text", "html": "text", "base64": "text",
    "health-number": "text", "code": "text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: the whole new text of one file of the pack.

    `line` counts from 1 and `was` is that line; `now` is what stands there instead.
    """

    file: str
    line: int
    kind: str
    was: str
    now: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {self.was}  =>  {self.now or '(nothing)'}"


def mutants(pack: Path) -> Iterator[Mutant]:
    """Every mutant of a pack's folder, in the order of its files and lines."""
    for file in sorted(pack.glob("*.map.yaml")):
        yield from _of_map(file.name, file.read_text(encoding="utf-8").split("\n"))
    for file in sorted(pack.glob("codes/*.csv")):
        yield from _of_table(f"codes/{file.name}", file.read_text(encoding="utf-8"))


def _of_map(name: str, lines: list[str]) -> Iterator[Mutant]:
    for number, line in enumerate(lines):
        row, block = _ROW.match(line), _BLOCK.match(line)
        if row is None and block is None:
            continue
        end = number + 1 if row else _end(lines, number)
        gone = [*lines[:number], *lines[end:]]
        yield Mutant(name, number + 1, "drop", line.strip(), "", "\n".join(gone))
        for kind, now in _changes(line, row is not None):
            text = "\n".join([*lines[:number], now, *lines[number + 1 :]])
            yield Mutant(name, number + 1, kind, line.strip(), now.strip(), text)


def _end(lines: list[str], start: int) -> int:
    """Where the block that begins at a line is over."""
    indent = len(lines[start]) - len(lines[start].lstrip())
    for number in range(start + 1, len(lines)):
        line = lines[number]
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return number
    return len(lines)


def _changes(line: str, row: bool) -> Iterator[tuple[str, str]]:
    arrow = _ARROW.search(line)
    if arrow is not None:
        for other in ARROWS:
            if other != arrow[1]:
                yield "arrow", line[: arrow.start()] + other + line[arrow.end() :]
    for const in _CONST.finditer(line):
        yield "const", line[: const.start("value")] + _other(const["value"]) + line[const.end() :]
    for option in _OPTION.finditer(line):
        yield "option", line[: option.start()] + line[option.end() :]
    if row and arrow is not None:
        yield from _codecs(line, arrow.end())


def _other(value: str) -> str:
    bare = value.strip('"')
    if bare in ("true", "false"):
        return "false" if bare == "true" else "true"
    changed = str(int(bare) + 1) if bare.isdigit() else bare + "X"
    return f'"{changed}"' if value.startswith('"') else changed


def _codecs(line: str, after: int) -> Iterator[tuple[str, str]]:
    """The row with its codec left out, and with the codec's nearest neighbour."""
    end = _path_end(line, after)
    found = _CODEC.match(line[end:])
    if found is None:
        return
    head, tail = line[:end], line[end + found.end() :]
    codec = found["codec"]
    name, mark, arguments = codec.partition("(")
    bent = {_BENT.get(name, "text"), "text"} - {codec}
    if mark and name not in ("code", "flag"):
        bent.add(name)
    if name == "phone":
        bent.add("phone(work)" if arguments != "work)" else "phone(home)")
    if name == "entity":
        bent.add("entity(FILL)" if arguments != "FILL)" else "entity(PLAC)")
    for other in sorted(bent):
        yield "codec", f"{head}, {other}{tail}"


def _path_end(line: str, start: int) -> int:
    """Where the right-hand end of a row, which begins after the arrow's comma, is over."""
    place = start + 1
    while line[place : place + 1] == " ":
        place += 1
    if line[place : place + 1] == '"':
        return line.index('"', place + 1) + 1
    if line[place : place + 1] == "{":
        return line.rindex("}") + 1  # a constant or a loss: nothing to bend after it
    while place < len(line) and line[place] not in ",]":
        place += 1
    return place


def _of_table(name: str, text: str) -> Iterator[Mutant]:
    rows = list(csv.reader(io.StringIO(text)))
    lines = text.rstrip("\n").split("\n")
    header = rows[0]
    for number in range(1, len(rows)):
        gone = [*lines[:number], *lines[number + 1 :]]
        yield Mutant(name, number + 1, "drop", lines[number], "", "\n".join(gone) + "\n")
        for column in ("left_code", "right_code"):
            yield _swapped(name, rows, lines, number, header.index(column))
        for side in ("left", "right"):
            if rows[number][header.index(f"{side}_code")]:
                yield _moved(name, rows, lines, number, header.index(f"{side}_system"))


def _moved(name: str, rows: list[list[str]], lines: list[str], number: int, column: int) -> Mutant:
    """A code of a row belongs to another system."""
    changed = [list(row) for row in rows]
    changed[number][column] += "X"
    return _written(name, lines, number, "system", changed)


def _swapped(
    name: str, rows: list[list[str]], lines: list[str], number: int, column: int
) -> Mutant:
    """The code of a row and of the next one that has another change places.

    Rows that are alike but for this code would only stand in another order: those are passed over.
    """
    mine = rows[number][column]
    order = [*range(number + 1, len(rows)), *range(1, number)]
    other = next((each for each in order if _tells(rows[number], rows[each], column)), None)
    changed = [list(row) for row in rows]
    changed[number][column] = rows[other][column] if other is not None else mine + "X"
    if other is not None:
        changed[other][column] = mine
    return _written(name, lines, number, "code", changed)


def _written(
    name: str, lines: list[str], number: int, kind: str, changed: list[list[str]]
) -> Mutant:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(changed)
    now = out.getvalue().split("\n")[number]
    return Mutant(name, number + 1, kind, lines[number], now, out.getvalue())


def _tells(row: list[str], other: list[str], column: int) -> bool:
    """Whether two rows say other things when their codes in a column change places."""
    rest, others = ([*each[:column], *each[column + 1 :]] for each in (row, other))
    return row[column] != other[column] and rest != others
