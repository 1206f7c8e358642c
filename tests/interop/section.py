"""What comes of one section of `make interop`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Section:
    """The rows of build/interop.json, and what is behind them.

    Attributes:
        rows: `{"check", "passed", "failed", "explained", "detail"}` each (`row` makes one).
        failed: what is neither right nor explained, a line each; any fails the command.
        explained: differences that docs/explanation/differences-from-hapi.md explains.
        seen: names of inputs that were judged; the table must explain no others.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    explained: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def row(self, check: str, passed: int, detail: str) -> Section:
        """Add one row whose failures and explanations are those collected so far."""
        self.rows.append(
            {
                "check": check,
                "passed": passed,
                "failed": len(self.failed),
                "explained": len(self.explained),
                "detail": detail,
            }
        )
        return self
