"""When to try again: the schedule by class of failure.

Transient failures wait 5 s, then 5 min, 30 min, 2, 5, 10, 14, 20 and 24 h: ten tries in about 75 h,
the schedule of Standard Webhooks 1.0.0, with 20 % jitter so that many lanes do not strike at once.
A peer's Retry-After is honoured when it is longer.

These ten are for one trouble. When a person says that it is over (`adapter deliveries retry`,
`adapter sites resume`), or the peer lets us in again, they begin anew; and tries at a door that is
closed to us (credentials, settings) are not counted. Otherwise who asks often, or mends slowly,
would have dead letters of what was never tried for three days.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from adapter.plugin.errors import (
    AdapterError,
    AuthError,
    ConfigError,
    DataError,
    GoneError,
    PluginError,
    TransientError,
)

SCHEDULE = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do with a failed delivery.

    ``retry`` at `next_at`; ``dead`` (tried long enough, or the peer is gone); ``quarantined`` (this
    message is wrong). `site_state` is what the site becomes, or None if it stays as it is;
    `counted`, whether the try is one of the ten.
    """

    action: Literal["retry", "dead", "quarantined"]
    next_at: datetime | None = None
    site_state: str | None = None
    counted: bool = True


def judge(error: AdapterError, *, attempt: int, now: datetime, chance: float) -> Verdict:
    """The verdict for a failure at the `attempt`-th try (1 is the first).

    Args:
        chance: a random number from 0 to 1 that spreads the waiting time.
    """
    if isinstance(error, DataError):
        return Verdict(action="quarantined")
    if isinstance(error, GoneError):
        return Verdict(action="dead", site_state="disabled")
    if isinstance(error, AuthError | ConfigError):
        state = "auth-required" if isinstance(error, AuthError) else "config-error"
        next_at = _later(now, 3_600, chance)
        return Verdict(action="retry", next_at=next_at, site_state=state, counted=False)
    if attempt > len(SCHEDULE):
        return Verdict(action="dead", site_state="retrying")
    next_at = _later(now, float(SCHEDULE[attempt - 1]), chance)
    if isinstance(error, TransientError) and error.retry_after:
        next_at = max(next_at, _not_before(now, error.retry_after, chance))
    state = "failed" if isinstance(error, PluginError) else "retrying"
    return Verdict(action="retry", next_at=next_at, site_state=state)


def _not_before(now: datetime, seconds: float, chance: float) -> datetime:
    """What a peer asked for is the least that it gets: the jitter only adds."""
    return now + timedelta(seconds=seconds * (1 + JITTER * chance))


def _later(now: datetime, seconds: float, chance: float) -> datetime:
    return now + timedelta(seconds=seconds * (1 - JITTER + 2 * JITTER * chance))
