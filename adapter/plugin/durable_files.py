"""Files that outlive a power cut: whole and on the disk, or not there.

A delivery that is a file has arrived when the disk has it, and not before: what was delivered is
not sent again. The same holds for a key that what is acknowledged is sealed with.
"""

from __future__ import annotations

import errno
import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_LONGEST = 60
"""Characters of a name that its part carries: at four bytes each, it stays below 255."""
_NO_SUCH_THING = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS)


def write(
    file: Path, content: bytes, *, mode: int = 0o666, owner: tuple[int, int] | None = None
) -> None:
    """Write a file; when this returns, it is there whatever happens. What stood there is replaced.

    Arguments and errors: as `writing`.
    """
    with writing(file, mode=mode, owner=owner) as stream:
        stream.write(content)


@contextmanager
def writing(
    file: Path, *, mode: int = 0o666, owner: tuple[int, int] | None = None
) -> Iterator[BinaryIO]:
    """Write a file piece by piece; when the block is left, it is there whatever happens.

    Until it is whole it has a name of its own that begins with a dot, so that two who write the
    same file at once do not meet: one of the two stands there in the end, whole. A process that is
    killed leaves that part behind.

    Args:
        mode: its permissions, less the umask; exactly these if there is an `owner`.
        owner: the ids of the user and of the group that it shall belong to; default: who writes.

    Raises:
        OSError: it cannot be written; what stood there stays.
    """
    part = file.with_name(f"{_start(file)}{secrets.token_hex(4)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as stream:
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
                os.fchmod(stream.fileno(), mode)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename == str(part):
            error.filename, error.filename2 = str(file), None  # what was asked for
        raise
    sync_folder(file.parent)


def clear(file: Path) -> None:
    """Take away the parts of a file that killed processes left, and that nobody writes now.

    Raises:
        OSError: one cannot be taken away.
    """
    for part in file.parent.glob(f"{glob.escape(_start(file))}*.part"):
        part.unlink(missing_ok=True)


def _start(file: Path) -> str:
    return f".{file.name[:_LONGEST]}."


def make_folder(folder: Path) -> None:
    """Make a folder and those that it lies in, as far as they are not there.

    Raises:
        OSError: one cannot be made.
    """
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """See to it that the names in a folder are on the disk.

    A file system that cannot do this for folders (some network shares) keeps names in its own way.

    Raises:
        OSError: the folder cannot be read.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SUCH_THING:
            raise
    finally:
        os.close(descriptor)
