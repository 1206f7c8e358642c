"""What the core gives to a site, in memory: state, log and clock that a test can look into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any


class MemoryState:
    """`adapter.plugin.State` in a dictionary; nothing expires unless `clock` is given."""

    def __init__(self, clock: MemoryClock | None = None) -> None:
        self.kept: dict[str, tuple[bytes, datetime | None]] = {}
        self._clock = clock

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        value, expires = self.kept.get(key, (None, None))
        if expires is not None and self._clock is not None and expires <= self._clock.now():
            return None
        return value

    async def put(self, key: str, value: bytes, *, expires: datetime | None = None) -> None:
        """Keep it."""
        self.kept[key] = (value, expires)

    async def add(self, key: str, value: bytes, *, expires: datetime | None = None) -> bool:
        """Keep it if nothing is there."""
        if await self.get(key) is not None:
            return False
        await self.put(key, value, expires=expires)
        return True

    async def delete(self, key: str) -> None:
        """Forget it."""
        self.kept.pop(key, None)


class MemoryLog:
    """`adapter.plugin.Log` that keeps each event with its level and values."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def debug(self, event: str, **values: Any) -> None:
        """Keep it."""
        self.lines.append(("debug", event, values))

    def info(self, event: str, **values: Any) -> None:
        """Keep it."""
        self.lines.append(("info", event, values))

    def warning(self, event: str, **values: Any) -> None:
        """Keep it."""
        self.lines.append(("warning", event, values))

    def error(self, event: str, **values: Any) -> None:
        """Keep it."""
        self.lines.append(("error", event, values))

    def of(self, event: str) -> list[dict[str, Any]]:
        """The values of every line of one event."""
        return [values for _, each, values in self.lines if each == event]


class MemoryClock:
    """A clock that goes only when it is told to, or when somebody sleeps by it."""

    def __init__(self, start: datetime = datetime(2026, 1, 15, 12, tzinfo=UTC)) -> None:
        self._now = start
        self.slept: list[float] = []
        self._start = start

    def now(self) -> datetime:
        """The time, with UTC offset."""
        return self._now

    def elapsed(self) -> float:
        """Seconds since the start."""
        return (self._now - self._start).total_seconds()

    def timestamp(self) -> float:
        """Seconds since 1970."""
        return self._now.timestamp()

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self._now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Return at once, later."""
        self.slept.append(seconds)
        self.forward(seconds)
