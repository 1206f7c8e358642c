"""Sites that are held: nothing is delivered to them until somebody mends or resumes them.

A site that no longer lets us in (``auth-required``) or whose settings are wrong (``config-error``)
is tried again once an hour, with one delivery; when that one arrives, all others follow at once. A
site that an operator paused, or whose peer said that it is gone for good (``disabled``), waits for
`adapter sites resume`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Literal

from adapter.plugin.errors import AdapterError
from adapter.store.outbox_row import OutboxRow
from adapter.store.sites import SiteState
from adapter.store.transaction import Transaction

PROBED = frozenset({"auth-required", "config-error"})
STANDS_STILL = ("paused", "disabled")
HELD = PROBED.union(STANDS_STILL)
PAUSE = timedelta(hours=1)


def held_until(site: SiteState | None, now: datetime) -> datetime | None:
    """When to look at a site again that nothing may be delivered to now; None if it may."""
    if site is None or site.state not in HELD:
        return None
    if site.state in PROBED:
        probe = site.updated_at + PAUSE
        return probe if probe > now else None
    return now + PAUSE


def may_carry(tx: Transaction, destination: str, now: datetime) -> datetime | None:
    """As `held_until`; whoever may try a held site is the only one until the next probe."""
    return may_carry_of(tx, destination, 1, now)[1]


def may_carry_of(
    tx: Transaction, destination: str, wanted: int, now: datetime
) -> tuple[int, datetime | None]:
    """How many of so many deliveries a site takes now, and when to look again for the others."""
    site = tx.sites.get(destination)
    until = held_until(site, now)
    if until is not None:
        return 0, until
    if site is None or site.state not in PROBED:
        return wanted, None
    tx.sites.touch(destination)
    return 1, None if wanted == 1 else now + PAUSE


def room_at(tx: Transaction, free: Mapping[str, int], now: datetime) -> dict[str, int]:
    """How many deliveries each site takes now, of those for which hands are `free`."""
    states = {each.site: each.state for each in tx.sites.list()}
    room = dict(free)
    for site, hands in free.items():
        if hands > 0 and states.get(site) in HELD:
            room[site] = 0 if may_carry(tx, site, now) else 1
    return room


def say_state(
    tx: Transaction,
    site: str,
    state: str,
    *,
    organization: str,
    error: AdapterError | None = None,
) -> bool:
    """Say how a site stands; False where only `adapter sites resume` may: it is paused, or gone.

    A start, a poll and what was under way when somebody paused it know nothing of that.
    """
    before = tx.sites.get(site)
    if before is not None and before.state in STANDS_STILL:
        return False
    tx.sites.set(
        site,
        state,
        organization=organization,
        code=error.code if error else None,
        error=error.message if error else None,
        fix=error.fix if error else None,
    )
    return True


def keep_state(
    tx: Transaction, row: OutboxRow, state: str, error: AdapterError | None, now: datetime
) -> Literal["held", "released"] | None:
    """Keep how a site stands after an attempt; whether it is held or released by it.

    Being held is journaled once, and not again while it stays so.
    """
    before = tx.sites.get(row.destination)
    held_before = before is not None and before.state in HELD
    if before is not None and state == before.state == "ready":
        return None  # so that workers do not wait for each other at this row
    if not say_state(tx, row.destination, state, organization=row.organization, error=error):
        return None
    if state in HELD and not held_before:
        tx.journal.append(
            organization=row.organization,
            actor="adapter",
            site=row.destination,
            kind=f"site.{state}",
            data={"code": error.code if error else None},
        )
        return "held"
    if state == "ready" and held_before:
        tx.outbox.hasten(row.destination, now)
        return "released"
    return None
