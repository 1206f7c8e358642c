"""The shared folder: whole files only, written under a name that nobody reads and then renamed.

What came is told by when it came there (the time of a file's last change of name or state), so that
a file is found whatever its name is.
"""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from adapter.plugin import durable_files

CURSOR_DIGITS = 20


def listed(incoming: Path) -> list[tuple[str, str]]:
    """The files of a folder as (cursor, name), oldest first; a dot in front means: not there yet.

    Raises:
        OSError: the folder cannot be read.
    """
    found = []
    for each in incoming.iterdir():
        if each.name.startswith("."):
            continue
        with suppress(FileNotFoundError):  # it was taken away meanwhile
            came = each.stat().st_ctime_ns
            found.append((f"{came:0{CURSOR_DIGITS}d} {each.name}", each.name))
    return sorted(found)


def present() -> str:
    """Now, as the clock says that files get their times from, and as a cursor says it."""
    return f"{time.time_ns():0{CURSOR_DIGITS}d}"


def read(incoming: Path, name: str, most: int) -> bytes:
    """A file; of one that is too large, as much as shows that it is.

    Raises:
        OSError: it cannot be read.
    """
    with (incoming / name).open("rb") as file:
        return file.read(most + 1)


def write(outgoing: Path, name: str, body: bytes) -> None:
    """A file, whole and on the disk or not at all; the same name again is the same file.

    Raises:
        OSError: it cannot be written.
    """
    durable_files.write(outgoing / name, body)


def exists(outgoing: Path, name: str) -> bool:
    """Whether a file is there, and stays there: whoever wrote it may have died before it was sure.

    Raises:
        OSError: the folder is not there.
    """
    found = name in {each.name for each in outgoing.iterdir()}
    if found:
        durable_files.sync_folder(outgoing)
    return found


def missing(*folders: Path) -> list[str]:
    """Which of these are not there."""
    return [each.name for each in folders if not each.is_dir()]
