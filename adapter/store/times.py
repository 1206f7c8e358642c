"""Times as the store keeps them: whole microseconds since 1970 in UTC, exact for every year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400_000_000


def to_micros(when: datetime) -> int:
    """Microseconds since 1970; the time must say its offset from UTC."""
    if when.tzinfo is None:
        raise ValueError("a time without an offset from UTC cannot be stored")
    since = when - _EPOCH
    return since.days * _DAY + since.seconds * 1_000_000 + since.microseconds


def from_micros(micros: int) -> datetime:
    """The time, in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def maybe_micros(when: datetime | None) -> int | None:
    """As `to_micros`, and None stays None."""
    return None if when is None else to_micros(when)


def maybe_time(micros: int | None) -> datetime | None:
    """As `from_micros`, and None stays None."""
    return None if micros is None else from_micros(micros)


def utc_now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)
