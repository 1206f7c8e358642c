"""Checkpoints in a file that lies elsewhere: whole lines are appended, and read again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from adapter.plugin.durable_files import sync_folder
from adapter.store.checkpoint import Checkpoint, read
from adapter.store.errors import StoreError


def append(file: Path, made: Iterable[Checkpoint], verifying_key: str) -> None:
    """Add checkpoints; when this returns, they are there whatever happens.

    A line that was broken off when somebody died over it is taken away: nobody was told of it.

    Raises:
        OSError: the file cannot be written.
    """
    with file.open("a+b") as stream:
        stream.seek(0)
        whole, last = _lines(stream.read())
        if last and _is_checkpoint(last, verifying_key):
            stream.write(b"\n")  # an editor took the end of the line away
        elif last:
            stream.truncate(whole)
        stream.write(b"".join(each.to_json() + b"\n" for each in made))
        stream.flush()
        os.fsync(stream.fileno())
    sync_folder(file.parent)


def kept(file: Path, verifying_key: str) -> list[Checkpoint]:
    """The checkpoints of a file, without a last line that was broken off.

    Raises:
        OSError: the file cannot be read.
        StoreError: a whole line is not a checkpoint that was signed by this key.
    """
    content = file.read_bytes()
    whole, last = _lines(content)
    found = [read(line, verifying_key) for line in content[:whole].splitlines() if line.strip()]
    if last and _is_checkpoint(last, verifying_key):
        found.append(read(last, verifying_key))
    return found


def _lines(content: bytes) -> tuple[int, bytes]:
    """How many bytes whole lines take, and what stands after them."""
    whole = content.rfind(b"\n") + 1
    return whole, content[whole:].strip()


def _is_checkpoint(line: bytes, verifying_key: str) -> bool:
    try:
        read(line, verifying_key)
    except StoreError:
        return False
    return True
