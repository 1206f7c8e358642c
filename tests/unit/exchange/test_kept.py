"""Whose referral it is: the site that made it, and those that carry it out."""

from __future__ import annotations

from datetime import UTC, datetime

from adapter.exchange.kept import Held, Kept, is_party
from adapter.referral.model import Referral
from adapter.referral.room import Case


def test_a_referral_is_its_makers_and_its_performers_and_nobody_elses() -> None:
    kept = Kept(
        id="r1",
        site="clinic",
        test=True,
        version=1,
        received_at=datetime(2026, 3, 2, tzinfo=UTC),
        case=Case(referral=Referral(id="r1")),
        envelope=None,
        held={"f1": Held(1, "agency"), "f2": Held(1, None)},
    )

    assert is_party(kept, "clinic")
    assert is_party(kept, "agency")
    assert not is_party(kept, "another")
