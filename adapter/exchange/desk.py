"""The desk: what a page or an API may ask of the exchange, and get an answer to at once.

Faces (portal, API) speak to this protocol; the service implements it. Every view is audited and
every act runs in one transaction with its journal, its projection and its deliveries.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Literal, Protocol

from adapter.referral.model import Fulfilment, Referral, TaskStatus
from adapter.referral.room import Move, Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class AgencyView:
    """One fulfilment as its agency may see it.

    Attributes:
        reference: the short reference that was in the e-mail.
        referral: after disclosure; `withheld` names the fields that were removed.
        choices: the statuses that the agency may set now.
        received: when the referral came in.
        reply_by: when an answer is wanted.
        timezone: the agency's own, in which times are shown.
    """

    reference: str
    referral: Referral
    fulfilment: Fulfilment
    withheld: tuple[str, ...]
    choices: tuple[TaskStatus, ...]
    program: str | None
    received: datetime
    reply_by: datetime | None
    test: bool
    timezone: tzinfo = UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What came of a move: ``done``, ``already`` (the same key again), or ``refused`` and why."""

    state: Literal["done", "already", "refused"]
    refused: Refused | None = None


class Desk(Protocol):
    """The exchange, as a face sees it."""

    async def view(self, fulfilment: str, *, site: str, actor: str) -> AgencyView | None:
        """The fulfilment for its agency, audited; None if it is not this site's."""
        ...

    async def form(self, fulfilment: str, *, site: str) -> AgencyView | None:
        """As `view`, to check a posted form against and not to show; nothing is audited."""
        ...

    async def act(self, move: Move, *, site: str, actor: str, key: str) -> Acted:
        """Make a move in one transaction. The same `key` again does nothing twice."""
        ...

    def now(self) -> datetime:
        """The time, with UTC offset."""
        ...
