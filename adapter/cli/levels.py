"""The levels that plugins reached when the conformance kit last ran against them on this machine.

Kept beside the environment (``build/`` of the virtual environment), one small JSON file a plugin: a
level is computed by a run, never declared by a plugin, and it holds for that version alone.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def _file(name: str) -> Path | None:
    folder = Path(sys.prefix) / "share" / "social-prescribing-adapter" / "levels"
    return folder / f"{name}.json" if _NAME.fullmatch(name) else None


def known_level(name: str, version: str) -> str | None:
    """The level of this version's last run, or None if it never ran or reached none."""
    file = _file(name)
    if file is None or not file.is_file():
        return None
    try:
        found = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None  # a note of convenience; `adapter conform` writes it again
    level = found.get("level") if found.get("version") == version else None
    return level if isinstance(level, str) else None


def remember(name: str, version: str, level: str | None) -> bool:
    """Note the level of a run; False if this installation may not be written to."""
    file = _file(name)
    if file is None:
        return False
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"version": version, "level": level}), "utf-8")
    except OSError:
        return False
    return True
