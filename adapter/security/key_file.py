"""Changing a key file without a moment in which there is none."""

from __future__ import annotations

from pathlib import Path

from adapter.plugin import durable_files
from adapter.security.keyring import Keyring, KeyringError


def replace(file: Path, keyring: Keyring) -> None:
    """Put a keyring into its file; after a power cut the file is the old one or the new one.

    Raises:
        KeyringError: it cannot be written; the old file stays.
    """
    try:
        durable_files.write(file, keyring.to_text().encode("ascii"), mode=0o600)
    except OSError as error:
        raise KeyringError(
            "keyring.not-written",
            f"The key file {file} cannot be written ({error.strerror}).",
            fix="Run this as the user who owns the key file; nothing was changed.",
        ) from None
