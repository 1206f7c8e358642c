"""Moments by two clocks, the sender's and ours, of which either may be ahead."""

from __future__ import annotations

from datetime import UTC, datetime


def not_before(made: str | None, now: str) -> str:
    """When something was changed that `made` says was made: `now`, or `made` if that is later.

    A Task was never modified before it was authored (FHIR R4 Task, invariant inv-1). Who authored
    it has a clock of their own, or a date that was typed wrong; and ours may have been set back. A
    referral is no worse for that.

    Args:
        made: an R4 dateTime, of any precision; None if nobody said.
        now: the time by our clock, an R4 dateTime with its offset.
    """
    if made is None or not _later(made, now):
        return now
    return made


def _later(one: str, other: str) -> bool:
    """True if `one` is after `other`, as far as their precisions say."""
    if "T" in one and "T" in other:
        first, second = _instant(one), _instant(other)
        return first is not None and second is not None and first > second
    size = min(len(one.partition("T")[0]), len(other.partition("T")[0]))
    return one[:size] > other[:size]


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:  # second 60, which R4 allows
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
