"""Files that outlive a power cut: whole and on the disk, or not there.

A delivery that is a file has arrived when the disk has it, and not before: what was delivered is
not sent again. The same holds for a key that what is acknowledged is sealed with.
"""

from __future__ import annotations

import os
from pathlib import Path


def write(file: Path, content: bytes, *, mode: int = 0o666) -> None:
    """Write a file; when this returns, it is there whatever happens. What stood there is replaced.

    Until it is whole its name begins with a dot. `mode` is its permissions, less the umask.

    Raises:
        OSError: it cannot be written; what stood there stays.
    """
    part = file.with_name(f".{file.name}")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(file)
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder are on the disk.

    Raises:
        OSError: the folder cannot be read.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
