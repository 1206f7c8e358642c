"""Output: JSON for scripts, plain tables for people. Results go to stdout, all else to stderr."""

from __future__ import annotations

import shlex
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def emit(document: Any) -> None:
    """One JSON document on one line of stdout."""
    import orjson

    sys.stdout.write(orjson.dumps(document).decode() + "\n")
    sys.stdout.flush()


def program() -> str:
    """How this program was called, so that a command that we print can be copied."""
    called = sys.argv[0]
    found = shutil.which("adapter")
    if not called.endswith("/adapter") or (found and Path(found).samefile(called)):
        return "adapter"
    return shlex.quote(called)


def say(text: str = "") -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr, flush=True)


def facts(row: Mapping[str, Any]) -> None:
    """What is known of one thing, a line each, on stdout; what is not known is left out."""
    for name, value in row.items():
        if value is not None:
            print(f"{name.replace('_', ' '):<12} {_text(value)}")


def table(
    columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, empty: str = "Nothing."
) -> None:
    """A plain table on stdout; a cell that is too wide goes on below itself."""
    cells = [[_text(row.get(column)) for column in columns] for row in rows]
    if not cells:
        print(empty)
        return
    heads = [column.replace("_", " ") for column in columns]
    widths = _widths(heads, cells)
    print(_line(heads, widths))
    print("  ".join("-" * width for width in widths))
    for row in cells:
        wrapped = [
            textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)
        ]
        for number in range(max(map(len, wrapped))):
            print(_line([part[number] if number < len(part) else "" for part in wrapped], widths))


def _line(parts: Sequence[str], widths: Sequence[int]) -> str:
    padded = (part.ljust(width) for part, width in zip(parts, widths, strict=True))
    return "  ".join(padded).rstrip()


def _widths(heads: Sequence[str], cells: Sequence[Sequence[str]]) -> list[int]:
    """As wide as needed; if that is too wide, the widest columns give way, but never an id."""
    widths = [
        max(len(heads[index]), *(len(row[index]) for row in cells)) for index in range(len(heads))
    ]
    room = max(shutil.get_terminal_size((120, 24)).columns, 60) - 2 * (len(heads) - 1)
    movable = [index for index, head in enumerate(heads) if head != "id"]
    while sum(widths) > room and movable:
        widest = max(movable, key=lambda index: widths[index])
        if widths[widest] <= 12:
            break
        widths[widest] -= 1
    return widths


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_text(each) for each in value)
    return str(value)
