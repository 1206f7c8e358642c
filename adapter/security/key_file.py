"""Changing a key file: never a moment without one, and no key lost to somebody else's change."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapter.plugin import durable_files
from adapter.security.keyring import Keyring, KeyringError

_NO_LOCKS = (errno.EBADF, errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


def replace(file: Path, keyring: Keyring, *, known: Keyring) -> None:
    """Put a keyring into its file; after a power cut the file is the old one or the new one.

    It keeps its owner, group and permissions, so that who could read the old one reads the new one;
    a link stays a link. `known` is what the change was made from: if somebody has put another key
    there meanwhile, that key may seal something already, and is not overwritten.

    Raises:
        KeyringError: it cannot be written, or holds something else than `known`; the file stays.
    """
    try:
        place = file.resolve(strict=True)
        with _locked(place) as before:
            if Keyring.parse(place.read_text("ascii")).to_text() != known.to_text():
                raise KeyringError(
                    "keyring.changed",
                    f"The key file {file} was changed by somebody else meanwhile.",
                    fix="Nothing was changed now. See `adapter keys list`, then run this again.",
                )
            durable_files.write(
                place,
                keyring.to_text().encode("ascii"),
                mode=stat.S_IMODE(before.st_mode),
                owner=(before.st_uid, before.st_gid),
            )
            durable_files.clear(place)  # a key that is forgotten is in such a part, too
    except OSError as error:
        raise KeyringError(
            "keyring.not-written",
            f"The key file {file} cannot be written ({error.strerror}).",
            fix="Run this as the user who owns the key file; nothing was changed.",
        ) from None


@contextmanager
def _locked(file: Path) -> Iterator[os.stat_result]:
    """Be the only process that changes it; how it stands."""
    while True:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:  # a share without locks: comparing has to be enough
                if error.errno not in _NO_LOCKS:
                    raise
            found = os.fstat(descriptor)
            if os.path.samestat(found, file.stat()):
                yield found
                return
        finally:
            os.close(descriptor)
