"""What was counted, as rows of `build/faults.json`: written as it goes, and whole at any moment."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

EVERY = 1.0


@dataclass(slots=True)
class Row:
    """One fault on one store. `lost` also counts what should have been found and was not.

    `recovery_s` is the longest of all runs: from the fault until everything is answered and
    delivered again. `complete` is false, and stands in the file, while there is more of its kind
    to do.
    """

    fault: str
    kind: str
    store: str
    runs: int = 0
    acknowledged: int = 0
    effects: int = 0
    lost: int = 0
    duplicated: int = 0
    recovery_s: float = 0.0
    complete: bool = False

    def document(self) -> dict[str, Any]:
        """The row as it stands in the file."""
        return {key: value for key, value in asdict(self).items() if value is not True}


class Results:
    """All rows so far."""

    def __init__(self, path: Path | None) -> None:
        self.rows: dict[tuple[str, str, str], Row] = {}
        self._path = path
        self._written = 0.0

    def add(
        self,
        fault: str,
        kind: str,
        store: str,
        *,
        runs: int = 1,
        acknowledged: int = 0,
        effects: int = 0,
        lost: int = 0,
        duplicated: int = 0,
        recovery: float = 0.0,
    ) -> Row:
        """Add runs to the row of a fault."""
        row = self.rows.setdefault((fault, kind, store), Row(fault, kind, store))
        row.runs += runs
        row.acknowledged += acknowledged
        row.effects += effects
        row.lost += lost
        row.duplicated += duplicated
        row.recovery_s = round(max(row.recovery_s, recovery), 3)
        if time.monotonic() - self._written > EVERY:
            self.write()
        return row

    def write(self) -> None:
        """Put the file there, whole."""
        self._written = time.monotonic()
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        rows = [row.document() for row in self.rows.values()]
        part.write_text(json.dumps(rows, indent=1) + "\n")
        part.replace(self._path)

    def complete(self, kind: str) -> None:
        """All of a kind was done."""
        for row in self.rows.values():
            row.complete = row.complete or row.kind == kind
        self.write()

    def take_up(self, kinds: set[str]) -> None:
        """Keep what an earlier run wrote of kinds that it did to the end."""
        if self._path is None or not self._path.exists():
            return
        for each in json.loads(self._path.read_text()):
            if each["kind"] in kinds and "complete" not in each:
                row = Row(**each, complete=True)
                self.rows[row.fault, row.kind, row.store] = row

    @property
    def sound(self) -> bool:
        """True if nothing was lost or duplicated, and every recovery was fast enough."""
        return not any(
            row.lost or row.duplicated or row.recovery_s >= 10 for row in self.rows.values()
        )

    def table(self) -> str:
        """Totals of each kind and store, for people."""
        lines = [f"{'kind':12} {'store':11} {'faults':>6} {'runs':>7} {'acked':>8} {'effects':>8}"
                 f" {'lost':>5} {'dup':>4} {'recovery':>9}"]  # fmt: skip
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows.values():
            groups.setdefault((row.kind, row.store), []).append(row)
        for (kind, store), rows in groups.items():
            lines.append(
                f"{kind:12} {store:11} {len(rows):6} {sum(r.runs for r in rows):7}"
                f" {sum(r.acknowledged for r in rows):8} {sum(r.effects for r in rows):8}"
                f" {sum(r.lost for r in rows):5} {sum(r.duplicated for r in rows):4}"
                f" {max(r.recovery_s for r in rows):7.2f} s"
            )
        return "\n".join(lines)
