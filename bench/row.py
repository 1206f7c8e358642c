"""One row of the table: what is done, against which limit, how much is allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LIMITS = ("CPU", "NORMAL", "FULL")


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        row: the words of the row.
        limit: one of `LIMITS`, by which the seconds are divided; or the words of another measure,
            and then `measure` gives the ratio itself.
        goal: what the ratio may be at most, or must be at least.
        measure: (times) to seconds of one, or to the ratio.
        times: how often, in each round.
        together: how many of them are measured as one.
        at_least: True if more is better.
        unmeasured: why it cannot be measured here; empty if it can.
    """

    row: str
    limit: str
    goal: float
    measure: Callable[[int], float]
    times: int
    at_least: bool = False
    unmeasured: str = ""
    together: int = 1

    @property
    def said(self) -> str:
        """The goal in words."""
        return f"{'>=' if self.at_least else '<='} {self.goal:g} x {self.limit}"

    def met(self, ratio: float) -> bool:
        """Whether a ratio is within the goal."""
        return ratio >= self.goal if self.at_least else ratio <= self.goal
