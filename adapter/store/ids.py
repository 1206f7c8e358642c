"""Ids of records of our own: UUIDv7 (RFC 9562 5.7), which sort by the time they were made.

What a message maps to has ids that follow from the message: `adapter.referral.identity`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

from adapter.store.randomness import fresh

_lock = threading.Lock()
_last = 0
_last_number = 0


def _forget() -> None:
    """A process that is forked counts on its own."""
    global _last, _lock
    _last, _lock = 0, threading.Lock()


os.register_at_fork(after_in_child=_forget)


def new_id() -> str:
    """A UUIDv7 as text, greater than every one that this process made before.

    48 bits of milliseconds, then 26 bits that count up within a millisecond (RFC 9562 6.2, method
    1: 12 bits in rand_a, 14 in rand_b, starting at a random place), then 48 random bits. When the
    clock steps back, the count goes on from the last id.
    """
    global _last
    random = int.from_bytes(fresh(9), "big")
    now = time.time_ns() // 1_000_000 << 26
    with _lock:
        _last = max(_last + 1, now | (random >> 49 & 0x7FFFFF))
        stamp = _last
    value = (
        (stamp >> 26) << 80
        | 0x7000_0000_0000_0000_0000
        | (stamp >> 14 & 0xFFF) << 64
        | 0x8000_0000_0000_0000
        | (stamp & 0x3FFF) << 48
        | random & 0xFFFF_FFFF_FFFF
    )
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_number(micros: int) -> int:
    """A 63-bit number not less than `number_of`, greater than all that this process made before.

    11 random bits keep two processes apart that ask in one microsecond.
    """
    return next(new_numbers(micros, 1))


def new_numbers(micros: int, count: int) -> Iterator[int]:
    """So many numbers as `new_number` makes, one after another, for what is written together."""
    global _last_number
    random = int.from_bytes(fresh(2), "big") & 0x7FF
    with _lock:
        first = max(_last_number + 1, number_of(micros) | random)
        _last_number = first + count - 1
    return iter(range(first, first + count))


def number_of(micros: int) -> int:
    """The least number that `new_number` gives at a time, in microseconds since 1970."""
    return micros << 11
