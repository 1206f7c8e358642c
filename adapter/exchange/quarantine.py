"""Quarantine: what was acknowledged and then could not be used is kept, and its sender is told.

A message here waits for a person (`adapter inbox`), and delays no other.
"""

from __future__ import annotations

from collections.abc import Mapping

from adapter.exchange.clock import Clock
from adapter.exchange.ledger import Ledger
from adapter.exchange.mapper import Mapper
from adapter.exchange.sites import SiteFacts
from adapter.plugin.errors import AdapterError
from adapter.referral.model import Acknowledgement, Envelope
from adapter.store.inbox_row import InboxRow
from adapter.store.transaction import Transaction


class Quarantine:
    """Sets messages aside, each in a transaction that does nothing else."""

    def __init__(
        self, *, ledger: Ledger, mapper: Mapper, sites: Mapping[str, SiteFacts], clock: Clock
    ) -> None:
        self.ledger = ledger
        self.mapper = mapper
        self.sites = sites
        self.clock = clock

    def set_aside(
        self, tx: Transaction, row: InboxRow, error: AdapterError, *, tell: bool = True
    ) -> None:
        """Keep a message that the engine could not use, and tell its sender.

        Nothing happens if another service took it meanwhile.
        """
        if self._keep(tx, row.id, row.site, row.kind, error) and tell:
            self._tell_sender(tx, row, self.sites[row.site], error)

    def set_unreadable_aside(
        self, tx: Transaction, id: str, site: str, error: AdapterError
    ) -> None:
        """Keep a message that the store cannot open; nobody can be told what it was."""
        self._keep(tx, id, site, None, error)

    def _keep(
        self, tx: Transaction, id: str, site: str, kind: str | None, error: AdapterError
    ) -> bool:
        if not tx.inbox.take(id):
            return False
        tx.inbox.mark(id, "quarantined", code=error.code, error=error.message, fix=error.fix)
        tx.journal.append(
            organization=self.ledger.organization,
            inbox=id,
            actor=site,
            site=site,
            kind="message.quarantined",
            data={"code": error.code, "kind": kind},
        )
        return True

    def _tell_sender(
        self, tx: Transaction, row: InboxRow, site: SiteFacts, error: AdapterError
    ) -> None:
        """An application reply AE for a message that was accepted and then could not be used.

        Unless the sender wants none (MSH-16 NE), or its system has no way to say it.
        """
        asked = self.mapper.envelope(row.raw, format=row.format) or Envelope()
        if asked.application_ack == "NE":
            return
        said = Acknowledgement(code="AE", message_id=asked.id, text=error.message, error_code="207")
        self.ledger.dispatch.error(
            tx,
            site,
            asked,
            said,
            inbox=row.id,
            test=site.test,
            at=self.clock.now(),
        )
