"""Findings of a check, as people and scripts read them: what, how it stands, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from adapter.cli.failure import NOT_PASSED
from adapter.cli.printing import emit, table

if TYPE_CHECKING:
    from adapter.plugin.messages import Check


def report(findings: Sequence[Check], *, as_json: bool) -> None:
    """Print the findings; exit with 1 if one of them failed."""
    rows = [
        {"check": each.name, "state": each.state, "detail": each.detail, "fix": each.fix}
        for each in findings
    ]
    if as_json:
        emit(rows)
    else:
        table(("check", "state", "detail", "fix"), rows)
    if any(each.state == "fail" for each in findings):
        raise typer.Exit(NOT_PASSED)
