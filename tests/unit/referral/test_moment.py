"""A referral whose sender's clock is ahead, or whose date was typed wrong, is a referral."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.invariants.rule import in_order
from adapter.referral.admission import first_fulfilment
from adapter.referral.model import Fulfilment, Referral
from adapter.referral.moment import not_before

NOW = datetime(2026, 11, 29, 12, 0, 0, 250_000, UTC)


@pytest.mark.parametrize(
    ("made", "changed"),
    [
        (None, "2026-11-29T12:00:00.250+00:00"),
        ("2026-11-29T07:00:00-05:00", "2026-11-29T12:00:00.250+00:00"),
        ("2026-11-29T07:00:05-05:00", "2026-11-29T07:00:05-05:00"),  # five seconds ahead
        ("2026-11-29", "2026-11-29T12:00:00.250+00:00"),
        ("2026-11-30", "2026-11-30"),
        ("2026", "2026-11-29T12:00:00.250+00:00"),
        ("2062-11", "2062-11"),
        ("2026-11-29T23:59:60Z", "2026-11-29T12:00:00.250+00:00"),  # R4 allows second 60
    ],
)
def test_a_task_was_never_changed_before_it_was_made(made: str | None, changed: str) -> None:
    task = first_fulfilment(Referral(id="r", authored_on=made), None, None, NOW)
    assert task.last_modified == changed


def test_what_its_message_says_of_the_task_counts_before_what_it_says_of_the_referral() -> None:
    referral = Referral(id="r", authored_on="2026-11-01")
    task = first_fulfilment(referral, Fulfilment(authored_on="2026-12-01"), None, NOW)
    assert (task.authored_on, task.last_modified) == ("2026-12-01", "2026-12-01")


@given(
    seconds=st.integers(0, 3_000_000_000),
    size=st.sampled_from([4, 7, 10, 25]),
    hours=st.integers(-12, 14),
    apart=st.timedeltas(min_value=timedelta(days=-400), max_value=timedelta(days=400)),
)
def test_whichever_clock_is_ahead_the_rule_of_r4_holds(
    seconds: int, size: int, hours: int, apart: timedelta
) -> None:
    moment = datetime.fromtimestamp(seconds, timezone(timedelta(hours=hours)))
    said = moment.isoformat(timespec="seconds")[:size]
    now = (moment + apart).astimezone(UTC).isoformat(timespec="milliseconds")
    changed = not_before(said, now)
    assert changed in (said, now)
    assert in_order(said, changed)
    assert in_order(now, changed)
