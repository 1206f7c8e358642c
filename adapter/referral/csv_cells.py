"""One cell of a CSV file: safe for spreadsheets, and several values in one.

A spreadsheet runs a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a line end as a
formula, also where it came from a client's own words (OWASP, "CSV injection"). Such a value is
written after an apostrophe, and one apostrophe before such a value is taken away when reading, so
that both directions are each other's inverse. What is read is text and is never computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_RISKY = r"[ \u00a0]*[=+\-@\t\r\n|%\uff1d\uff0b\uff0d\uff20]"
_DANGER = re.compile(rf"'*{_RISKY}")
_DEFUSED = re.compile(rf"'+{_RISKY}")
_ITEM = re.compile(r"((?:[^;\\]|\\.)*)(;|\Z)", re.DOTALL)


def defuse(value: str) -> str:
    """The cell that a spreadsheet shows as it is."""
    return f"'{value}" if _DANGER.match(value) else value


def fuse(cell: str) -> str:
    """The value that `defuse` made a cell of."""
    return cell[1:] if _DEFUSED.match(cell) else cell


def join(items: Iterable[str]) -> str:
    """Several values as one: ``a; b``, with ``\\;`` and ``\\\\`` inside a value."""
    return "; ".join(each.replace("\\", "\\\\").replace(";", "\\;") for each in items)


def part(value: str) -> list[str]:
    """The values of a list; spaces around each are no part of it, and empty ones are none."""
    found = []
    for match in _ITEM.finditer(value):
        item = re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL).strip()
        if item:
            found.append(item)
        if not match[2]:
            break
    return found
