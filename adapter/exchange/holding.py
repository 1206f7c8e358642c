"""Sites that are held: nothing is delivered to them until somebody mends or resumes them.

A site that no longer lets us in (``auth-required``) or whose settings are wrong (``config-error``)
is tried again once an hour, with one delivery; when that one arrives, all others follow at once. A
site that an operator paused, or whose peer said that it is gone for good (``disabled``), waits for
`adapter sites resume`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from adapter.store.sites import SiteState
from adapter.store.transaction import Transaction

PROBED = frozenset({"auth-required", "config-error"})
HELD = PROBED | {"paused", "disabled"}
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
    site = tx.sites.get(destination)
    until = held_until(site, now)
    if until is None and site is not None and site.state in PROBED:
        tx.sites.touch(destination)
    return until


def held(tx: Transaction, now: datetime) -> frozenset[str]:
    """The sites that nothing may be delivered to now."""
    return frozenset(each.site for each in tx.sites.list() if held_until(each, now) is not None)
