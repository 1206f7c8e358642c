"""Secrets that systemd hands to a service: files in a folder that only the service can read.

A unit says ``LoadCredential=emr-key:/etc/adapter/emr-key`` (or LoadCredentialEncrypted=), and
adapter.toml refers to ``credential:emr-key`` (systemd.exec(5), "Credentials").
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from adapter.plugin import ConfigError

FOLDER = "CREDENTIALS_DIRECTORY"
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,255}")


def credential(name: str) -> str:
    """The credential of this name, without surrounding white space.

    Raises:
        ConfigError: the service was given none of this name.
    """
    folder = os.environ.get(FOLDER)
    if not folder or not _NAME.fullmatch(name) or name in (".", ".."):
        raise _missing(name if _NAME.fullmatch(name) else "of this name")
    try:
        return Path(folder, name).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise _missing(name) from None


def _missing(name: str) -> ConfigError:
    return ConfigError(
        "reference.no-credential",
        f"systemd gave this service no credential {name}",
        fix=f"Add LoadCredential={name}:/PATH to its unit, then restart it.",
    )
