"""When a request is tried again at once, and how long that waits.

Only what may be repeated is: by its method (RFC 9110, 9.2.2), or because the caller says that the
peer takes a repetition for the same request. Few tries, close together: the longer waits belong to
the outbox, which keeps the message while it waits.
"""

from __future__ import annotations

from dataclasses import dataclass

from adapter.plugin.errors import AdapterError, SystemFault, TransientError

IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LONGEST_WAIT = 10.0
_FIRST_WAIT = 0.25


@dataclass(frozen=True, slots=True)
class Repeat:
    """How often a request is tried again.

    Attributes:
        tries: further tries after the first.
    """

    tries: int

    @classmethod
    def of(cls, method: str, *, idempotent: bool, retries: int) -> Repeat:
        """The policy for one request."""
        return cls(retries if idempotent or method in IDEMPOTENT else 0)

    def wait(self, fault: AdapterError, *, tried: int, chance: float, left: float) -> float | None:
        """Seconds until the next try, or None if there is none.

        Args:
            tried: how often it was tried, 1 after the first time.
            chance: a random number from 0 to 1 that spreads the waits of many.
            left: seconds left for the whole request.
        """
        if tried > self.tries or not isinstance(fault, TransientError):
            return None
        if isinstance(fault, SystemFault):
            return None
        wait = _FIRST_WAIT * 2 ** (tried - 1) * (0.5 + chance)
        if fault.retry_after is not None:
            wait = max(wait, fault.retry_after)
        return wait if wait <= LONGEST_WAIT and wait < left else None
