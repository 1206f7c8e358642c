"""What must know its result at once: a move that a peer makes, or a form that a person sends.

`Context.act` is the second form of receiving (the first is `Context.receive`): the core does what
is wanted in one transaction and says what came of it, so that whoever waits at the other end of a
page or an API can be told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from adapter.plugin.pages import Page, Visit


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What the organization of a site wants of one fulfilment that it carries out.

    Attributes:
        fulfilment: its id, as `Outbound.fulfilment` gave it.
        key: the peer's own id of this wish: the same key again does nothing twice.
        to: the status to set (R4 Task.status), or None to leave a note alone.
        reason: a coded reason (adapter/referral/reasons.toml), for a decline and the like.
        reason_text: the same in words.
        note: words for the requester.
        actor: who wants it, for journal and audit; empty: the site.
        occurred: when it happened, if not now.
    """

    fulfilment: str
    key: str
    to: str | None = None
    reason: str | None = None
    reason_text: str = field(default="", repr=False)
    note: str = field(default="", repr=False)
    actor: str = ""
    occurred: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedForm:
    """A form of one of the core's pages, as a visitor sent it; it carries its own key."""

    visit: Visit
    form: Mapping[str, list[str]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What came of it; whatever it is, it is durable or nothing was done.

    Attributes:
        state: ``done``; ``already``: the same key was done before; ``refused``: the referral does
            not allow it, and `code`, `message` and `fix` say why; ``incomplete``: a form that must
            be corrected, or asked only to be shown again; ``unknown``: there is no such referral
            at this site.
        status: the HTTP status that says so: 200, 409, 422 or 404; of a form that of its page.
        page: of a form, what its visitor gets to see; None for a move.
    """

    state: Literal["done", "already", "refused", "incomplete", "unknown"]
    status: int
    code: str = ""
    message: str = ""
    fix: str = ""
    page: Page | None = None

    @property
    def accepted(self) -> bool:
        """True if it stands as it was wanted: now, or since the first time."""
        return self.state in ("done", "already")
