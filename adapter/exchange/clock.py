"""Where time comes from, so that a test can say what time it is."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Protocol


class Clock(Protocol):
    """Something that knows the time."""

    def now(self) -> datetime:
        """The time, with UTC offset."""
        ...


def moment(text: str | None, zone: tzinfo) -> datetime | None:
    """A full date and time as said by a sender; None where it said less, or nothing.

    A time without offset is read in the sender's own zone.
    """
    if not text:
        return None
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) <= len("2026-01-01"):
        return None
    return said if said.tzinfo else said.replace(tzinfo=zone)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)
