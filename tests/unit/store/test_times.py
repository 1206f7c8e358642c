from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.store.times import from_micros, to_micros


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_time_survives_to_the_microsecond(when: datetime) -> None:
    assert from_micros(to_micros(when)) == when


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=-5)))))
def test_the_offset_is_taken_into_account(when: datetime) -> None:
    assert to_micros(when) - to_micros(when.replace(tzinfo=UTC)) == 5 * 3600 * 1_000_000


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        to_micros(datetime(2026, 1, 1))  # noqa: DTZ001 - what the test is about
