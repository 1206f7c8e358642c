"""Changing a key file without a moment in which there is none: write beside it, sync, rename."""

from __future__ import annotations

import os
from pathlib import Path

from adapter.security.keyring import Keyring, KeyringError


def replace(file: Path, keyring: Keyring) -> None:
    """Put a keyring into its file; after a power cut the file is the old one or the new one.

    Raises:
        KeyringError: it cannot be written; the old file stays.
    """
    part = file.with_name(f"{file.name}.new")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(keyring.to_text())
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise KeyringError(
            "keyring.not-written",
            f"The key file {file} cannot be written ({error.strerror}).",
            fix="Run this as the user who owns the key file; nothing was changed.",
        ) from None
