"""The files of a pack's folder as text: what a pack says of itself, and faults with their place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from importlib.resources.abc import Traversable
from typing import Any

from adapter.mapping.table import Fault, TableError, Where

_TEXTS = ("name", "version", "fhir", "dialect", "licence", "title")
_LISTS = ("formats", "extends")


def text_of(entry: Traversable) -> str:
    """A file of a pack as text.

    Raises:
        TableError: ``not-utf-8``, with the line and column of the first byte that is not, or
            ``unreadable``.
    """
    try:
        raw = entry.read_bytes()
    except OSError as error:
        fault = Fault(
            Where(str(entry), 1, 1), "unreadable", f"the file cannot be read: {error.strerror}",
            "check the file and its permissions",
        )  # fmt: skip
        raise TableError([fault]) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        where = Where(str(entry), before.count(b"\n") + 1, column)
        said = "a byte here is not UTF-8", "save the file as UTF-8"
        raise TableError([Fault(where, "not-utf-8", *said)]) from None


def about_of(root: Traversable) -> Mapping[str, Any]:
    """The table ``[pack]`` of a pack's pack.toml.

    Raises:
        TableError: ``pack``: not TOML, no such table, or a value that is not of its kind.
    """
    file = root.joinpath("pack.toml")
    text = text_of(file)
    try:
        about = tomllib.loads(text).get("pack")
    except tomllib.TOMLDecodeError as error:
        said, at, rest = str(error).partition(" (at ")
        numbers = [int(each) for each in re.findall(r"\d+", rest)] if at else []
        end = text.count("\n") + 1
        line, column = numbers if len(numbers) == 2 else (end, 1)
        where = Where(str(file), line, column)
        raise TableError([Fault(where, "pack", said, "mend the TOML")]) from None
    if not isinstance(about, dict):
        fix = "write [pack] and under it name, version, formats"
        raise TableError([Fault(Where(str(file), 1, 1), "pack", "there is no [pack]", fix)])
    wrong = [(key, "a text", '"…"') for key in _TEXTS if key in about and not _text(about[key])]
    wrong += [(key, "names", '["…"]') for key in _LISTS if key in about and not _names(about[key])]
    faults = [
        Fault(_at(text, file, key), "pack", f"{key} is not {kind}", f"write {key} = {example}")
        for key, kind, example in wrong
    ]
    if faults:
        raise TableError(faults)
    return about


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _names(value: Any) -> bool:
    listed = [value] if isinstance(value, str) else value
    return isinstance(listed, list) and all(map(_text, listed))


def place_in_toml(root: Traversable, key: str) -> Where:
    """Where a key of ``[pack]`` stands; the file's beginning if it is not found."""
    file = root.joinpath("pack.toml")
    return _at(text_of(file), file, key)


def _at(text: str, file: Traversable, key: str) -> Where:
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf"\s*{key}\s*=", line):
            return Where(str(file), number, len(line) - len(line.lstrip()) + 1)
    return Where(str(file), 1, 1)
