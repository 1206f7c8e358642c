"""The differences between our checks and HAPI's that are explained, read from the documentation.

docs/explanation/differences-from-hapi.md holds one table row for each: the input, who refuses it,
and why that is right. A row for an input on which both agree is an error too: it explains nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "differences-from-hapi.md"


@dataclass(frozen=True, slots=True)
class Difference:
    """One explained difference: `refused_by` is "ours" or "HAPI"."""

    name: str
    refused_by: str
    reason: str


def explained() -> dict[str, Difference]:
    """Return the rows of the table by input. Raises ValueError for a row that is not one."""
    found: dict[str, Difference] = {}
    for line in PAGE.read_text("utf-8").splitlines():
        if not line.startswith("| `"):
            continue
        cells = [cell.strip() for cell in line.strip("| \n").split(" | ")]
        if len(cells) != 3 or cells[1] not in ("ours", "HAPI") or not cells[2]:
            raise ValueError(f"{PAGE.name}: not a row of three cells: {line}")
        name = cells[0].strip("`")
        found[name] = Difference(name, cells[1], cells[2])
    return found
