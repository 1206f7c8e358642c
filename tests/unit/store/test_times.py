from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.store.times import from_micros, to_micros


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_to_the_microsecond(when: datetime) -> None:
    assert from_micros(to_micros(when)) == when


@given(st.datetimes(min_value=datetime(1971, 1, 1), max_value=datetime(9998, 1, 1)))
def test_the_offset_is_taken_into_account(when: datetime) -> None:
    there = timezone(timedelta(hours=-5))
    assert to_micros(when.replace(tzinfo=there)) - to_micros(when.replace(tzinfo=UTC)) == (
        5 * 3600 * 1_000_000
    )


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        to_micros(datetime(2026, 1, 1))
