"""Referrals of earlier versions are made their organizations', as new ones are when they come.

Who may see what by the FHIR API is written down with each referral; a store of a version that did
not know this has referrals that nobody would see. Which organization a site is, is configuration
and in no table, so that no migration of the tables can do it: `adapter db upgrade` does, and the
service when it starts. What is there already is left as it is; it may be done again at any time.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from adapter.store.store import Store
from adapter.store.transaction import Transaction

CHUNK = 500
"""Rows in one transaction: other writers wait no longer than for these."""


def share_earlier(store: Store, organization: str, parties: Mapping[str, str]) -> int:
    """Share every referral and fulfilment that is not yet its requester's and its performer's.

    `parties` are the organizations of the sites by site name. Returns how many were shared; those
    of sites that are no longer configured are nobody's.

    Raises:
        StoreError: the store could not; what was shared before stays.
    """
    shared = 0
    for share in (_owned, _performed):
        after: str | None = ""
        while after is not None:

            def work(tx: Transaction, since: str = after) -> tuple[int, str | None]:
                return share(tx, organization, parties, since)  # noqa: B023 - it runs at once

            count, after = store.write_now(work)
            shared += count
    return shared


def _owned(
    tx: Transaction, organization: str, parties: Mapping[str, str], after: str
) -> tuple[int, str | None]:
    rows = tx.parties.without_owner(after, CHUNK)
    known = [(parties[site], own) for own, site in rows if site in parties]
    for party, group in groupby(sorted(known), key=lambda each: each[0]):
        mine = [("ServiceRequest", own) for _, own in group]
        tx.parties.grant(party, mine, organization=organization, owns=True)
    return len(known), rows[-1][0] if len(rows) == CHUNK else None


def _performed(
    tx: Transaction, organization: str, parties: Mapping[str, str], after: str
) -> tuple[int, str | None]:
    rows = tx.parties.without_performer(after, CHUNK)
    known = [each for each in rows if each[2] in parties]
    for own, referral, destination in known:
        mine = [("ServiceRequest", referral), ("Task", own)]
        tx.parties.grant(
            parties[destination],
            mine,
            organization=organization,
            performs=True,
            referral=referral,
        )
    return len(known), rows[-1][0] if len(rows) == CHUNK else None
