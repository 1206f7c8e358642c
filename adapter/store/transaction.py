"""What a piece of work may do to the store: the repositories, inside one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from adapter.store.audit import Audit
from adapter.store.cases import Cases
from adapter.store.clients import Clients
from adapter.store.directories import Directories
from adapter.store.identifiers import Identifiers
from adapter.store.inbox import Inbox
from adapter.store.journal import Journal
from adapter.store.keys import Keyring
from adapter.store.outbox import Outbox
from adapter.store.parties import Parties
from adapter.store.plugin_state import PluginState
from adapter.store.polls import Polls
from adapter.store.resources import Resources
from adapter.store.session import Session
from adapter.store.sites import Sites
from adapter.store.subscriptions import Subscriptions

_REPOSITORIES: dict[str, Callable[[Session], Any]] = {
    "audit": Audit,
    "cases": Cases,
    "clients": Clients,
    "directories": Directories,
    "identifiers": Identifiers,
    "inbox": Inbox,
    "journal": Journal,
    "outbox": Outbox,
    "parties": Parties,
    "polls": Polls,
    "resources": Resources,
    "sites": Sites,
    "state": PluginState,
    "subscriptions": Subscriptions,
}


class Transaction:
    """All or nothing. Given to a work by `Store.write` and `Store.read`, and dead after it.

    A work may be run again when another writer came first, so that it must do nothing but read and
    write here.
    """

    __slots__ = ("_late", "session", *_REPOSITORIES)

    audit: Audit
    cases: Cases
    clients: Clients
    directories: Directories
    identifiers: Identifiers
    inbox: Inbox
    journal: Journal
    outbox: Outbox
    parties: Parties
    polls: Polls
    resources: Resources
    sites: Sites
    state: PluginState
    subscriptions: Subscriptions

    def __init__(self, session: Session) -> None:
        self.session = session
        self._late: dict[str, Callable[[], None]] = {}

    def __getattr__(self, name: str) -> Any:
        """A repository, made when it is first asked for: a work uses a few of them."""
        make = _REPOSITORIES.get(name)
        if make is None:
            raise AttributeError(name)
        made = make(self.session)
        setattr(self, name, made)
        return made

    def at_the_end(self, name: str, work: Callable[[], None]) -> None:
        """Run this once when the work is done, before it commits; again under a name is once."""
        self._late[name] = work

    def end(self) -> None:
        """Run what was to be run at the end; the writer does this."""
        while self._late:
            self._late.popitem()[1]()

    @property
    def keyring(self) -> Keyring:
        """The keyring that seals this store."""
        return self.session.keyring

    def now(self) -> datetime:
        """The time, with UTC offset."""
        return self.session.now()
