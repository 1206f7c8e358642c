"""Coded reasons, with words for people in English and French (reasons.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonText:
    """One reason: what it says, and what to do next, by language (``en``, ``fr``)."""

    code: str
    statuses: tuple[str, ...]
    text: Mapping[str, str]
    next_step: Mapping[str, str]

    def fits(self, status: str) -> bool:
        """True if this reason may be given for this status."""
        return status in self.statuses


@cache
def reasons() -> Mapping[str, ReasonText]:
    """Every reason by its code, in the order of the file."""
    table = tomllib.loads((resources.files("adapter.referral") / "reasons.toml").read_text("utf-8"))
    return {
        code: ReasonText(
            code=code,
            statuses=tuple(row["for"]),
            text={"en": row["en"], "fr": row["fr"]},
            next_step={"en": row["next_en"], "fr": row["next_fr"]},
        )
        for code, row in table.items()
    }


def reasons_for(status: str) -> tuple[ReasonText, ...]:
    """The reasons that may be given for a status."""
    return tuple(each for each in reasons().values() if each.fits(status))
