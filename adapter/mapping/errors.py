"""What can go wrong while a message is mapped."""

from __future__ import annotations

import re
from pathlib import PurePath

from adapter.plugin.errors import ConfigError, DataError

_KIND = re.compile(r"[A-Za-z0-9_^-]{1,24}")


class MappingError(DataError):
    """A value that a row cannot carry. The message is quarantined; no wrong value is written.

    Attributes:
        path: the place in the table's own words.
        row: the row as text, left and right.
        file, line: where the row stands; 0 if no row is to blame.
    """

    def __init__(
        self,
        why: str,
        *,
        path: str = "",
        row: str = "",
        file: str = "",
        line: int = 0,
        fix: str = "",
    ) -> None:
        # A sender is told this too, and need not know where on our disk the pack is.
        place = f"{'/'.join(PurePath(file).parts[-2:])}:{line}: " if file else ""
        super().__init__(
            "mapping.value",
            f"{place}{path + ': ' if path else ''}{why}",
            fix=fix or "correct the value at its source, or give the row else: report",
        )
        self.path = path
        self.row = row
        self.file = file
        self.line = line


class NoMapError(DataError):
    """No map joins these two formats for this kind of message."""

    def __init__(self, left: str, kind: str, right: str, dialect: str | None, known: str) -> None:
        spoken = f" in dialect {dialect}" if dialect else ""
        if not _KIND.fullmatch(kind):  # it comes out of the message, and could be anything there
            kind = ""
        super().__init__(
            "mapping.no-map",
            f"no map joins {left} {kind or 'of unknown kind'}{spoken} and {right}",
            fix=f"add a pack, or send one of: {known}" if known else "add a pack with such a map",
        )


class PackError(ConfigError):
    """A pack that cannot be loaded; `faults` say why, each with file and line."""

    def __init__(self, faults: list[object]) -> None:
        first = "\n".join(str(fault) for fault in faults[:20])
        super().__init__(
            "mapping.pack",
            f"{len(faults)} faults in mapping tables\n{first}",
            fix="run adapter mappings check",
        )
        self.faults = faults
