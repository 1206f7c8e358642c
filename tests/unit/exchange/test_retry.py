"""The verdict on a failed delivery, by the class of the failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.exchange.retry import SCHEDULE, judge
from adapter.plugin.errors import (
    AuthError,
    ConfigError,
    DataError,
    GoneError,
    PluginError,
    TransientError,
)

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
BUSY = TransientError("peer.busy", "busy")


def test_ten_tries_take_about_75_hours() -> None:
    assert len(SCHEDULE) + 1 == 10
    assert sum(SCHEDULE) / 3600 == pytest.approx(75.6, abs=0.1)


@given(attempt=st.integers(1, len(SCHEDULE)), chance=st.floats(0, 1))
def test_a_transient_failure_waits_as_scheduled_within_a_fifth(attempt, chance) -> None:
    verdict = judge(BUSY, attempt=attempt, now=NOW, chance=chance)

    assert verdict.action == "retry"
    assert verdict.next_at is not None
    waited = (verdict.next_at - NOW).total_seconds()
    assert 0.8 * SCHEDULE[attempt - 1] - 0.001 <= waited <= 1.2 * SCHEDULE[attempt - 1] + 0.001


def test_after_the_last_try_it_is_dead() -> None:
    assert judge(BUSY, attempt=len(SCHEDULE) + 1, now=NOW, chance=0.5).action == "dead"


@pytest.mark.parametrize(
    ("error", "counted"),
    [(AuthError("auth.refused", "no"), False), (ConfigError("config.wrong", "no"), False),
     (PluginError("plugin.raised", "oh"), True), (BUSY, True)],
)  # fmt: skip
def test_a_try_at_a_door_that_is_closed_to_us_is_none_of_the_ten(error, counted) -> None:
    assert judge(error, attempt=7, now=NOW, chance=0.5).counted is counted


@pytest.mark.parametrize(
    ("error", "action", "state"),
    [
        (DataError("data.bad", "bad"), "quarantined", None),
        (GoneError("peer.gone", "gone"), "dead", "disabled"),
        (AuthError("auth.refused", "no"), "retry", "auth-required"),
        (ConfigError("config.wrong", "wrong"), "retry", "config-error"),
        (PluginError("plugin.raised", "oh"), "retry", "failed"),
        (BUSY, "retry", "retrying"),
    ],
)
def test_each_class_has_its_own_verdict(error, action, state) -> None:
    verdict = judge(error, attempt=1, now=NOW, chance=0.5)

    assert (verdict.action, verdict.site_state) == (action, state)


@pytest.mark.parametrize("chance", [0.0, 0.3, 1.0])
def test_a_peer_that_asks_for_time_gets_all_of_it(chance: float) -> None:
    asked = TransientError("peer.busy", "busy", retry_after=60)
    found = judge(asked, attempt=1, now=NOW, chance=chance).next_at
    assert found is not None
    assert NOW + timedelta(seconds=60) <= found <= NOW + timedelta(seconds=72)
