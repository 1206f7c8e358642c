"""Events: what a change means to each subscription, stored in the transaction of the change."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from adapter.exchange.compartment import Compartment
from adapter.exchange.ledger import Ledger
from adapter.exchange.subscription_terms import TOPICS, Terms, TermsRefused, terms
from adapter.store.transaction import Transaction

TOPIC_OF = {kind: topic for topic, kind in TOPICS.items()}


class Announcer:
    """Tells subscriptions of Tasks and ServiceRequests that were written.

    It works at the end of a transaction, when everything is shared with whom it concerns.
    """

    def __init__(self, ledger: Ledger, base: Callable[[], str]) -> None:
        self._ledger = ledger
        self._base = base

    def watch(self, tx: Transaction) -> None:
        """Look, before this transaction commits, at what it has written."""
        tx.at_the_end("subscriptions", partial(self._tell, tx))

    def _tell(self, tx: Transaction) -> None:
        written: dict[tuple[str, str], int] = {}
        for kind, own, version in tx.resources.written:
            if kind in TOPIC_OF:
                written.setdefault((kind, own), version)  # the first: whether it was created
        for kind in {each for each, _ in written}:
            for row in tx.subscriptions.listening(TOPIC_OF[kind]):
                understood = self._terms(tx, row.id)
                if understood is None:
                    continue
                view = Compartment(tx, self._ledger, row.party)
                for (of, own), version in written.items():
                    if of != kind:
                        continue
                    found = view.shown(tx.resources.get(kind, own))
                    if found is not None and understood.concern(found.content, version == 1):
                        tx.subscriptions.tell(row, kind, own, version)

    def _terms(self, tx: Transaction, identity: str) -> Terms | None:
        stored = tx.resources.get("Subscription", identity)
        if stored is None:
            return None
        try:
            return terms(stored.content, self._base())
        except TermsRefused:  # it was refused when it was written; then nothing is told
            return None
