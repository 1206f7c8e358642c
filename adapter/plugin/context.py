"""What the core gives to each site's system: everything that it may touch of the world.

A plugin never reads the environment, the clock or a random source itself, opens no store and makes
no HTTP client: with these, a test decides what happens when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from adapter.plugin.acts import Acted, Move, PostedForm
from adapter.plugin.messages import Inbound, Receipt, Refusal
from adapter.plugin.pages import Page, Visit

if TYPE_CHECKING:
    from adapter.plugin.http import Http

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One configured connection, as the plugin may know it.

    Attributes:
        name: the key of its table in adapter.toml.
        organization: the organization that it belongs to, by name.
        test: True if everything here is a test; a test site accepts processing ids P, T and D.
        timezone: how times without an offset are read.
        language: ``en`` or ``fr``, for what is sent to this site.
        role: ``requester`` (it sends referrals), ``performer`` (it carries them out) or
            ``directory`` (it lists programs alone); empty if it may be any.
    """

    name: str
    organization: str
    test: bool
    timezone: tzinfo
    language: str = "en"
    role: str = ""


class State(Protocol):
    """A small durable store of the site's own, encrypted at rest; keys are kept as keyed hashes."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None if it was never put, deleted, or has expired."""
        ...

    async def put(self, key: str, value: bytes, *, expires: datetime | None = None) -> None:
        """Durable when it returns; replaces what was there."""
        ...

    async def add(self, key: str, value: bytes, *, expires: datetime | None = None) -> bool:
        """Put only if nothing is there; False if something is. Safe against a race."""
        ...

    async def delete(self, key: str) -> None:
        """Forget it; no error if it was not there."""
        ...


class Log(Protocol):
    """A structured log: an event named ``noun.verb`` and values that are not PHI."""

    def debug(self, event: str, **values: Any) -> Any: ...  # noqa: D102
    def info(self, event: str, **values: Any) -> Any: ...  # noqa: D102
    def warning(self, event: str, **values: Any) -> Any: ...  # noqa: D102
    def error(self, event: str, **values: Any) -> Any: ...  # noqa: D102


class Context(Protocol):
    """The core, as one site's system sees it."""

    @property
    def site(self) -> Site:
        """The site that this system serves."""
        ...

    @property
    def log(self) -> Log:
        """The site's log."""
        ...

    @property
    def http(self) -> Http:
        """The site's HTTP client: timeouts, tokens, redaction and the URL guard are the core's."""
        ...

    @property
    def state(self) -> State:
        """The site's own small durable store."""
        ...

    def now(self) -> datetime:
        """The time, with UTC offset."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; a test may make it return at once."""
        ...

    def token(self, purpose: str) -> bytes:
        """32 bytes that only this site can make, always the same for the same purpose.

        Derived from the installation's key (HKDF-SHA256), so that a repeated delivery carries the
        same secret.
        """
        ...

    def random(self, size: int) -> bytes:
        """Fresh random bytes, fit for secrets."""
        ...

    def url(self, path: str) -> str:
        """The absolute address of `path` among this site's HTTP endpoints."""
        ...

    async def offload(self, function: Callable[..., T], *args: Any) -> T:
        """Run a picklable function in a worker process, off the event loop."""
        ...

    async def receive(self, message: Inbound) -> Receipt:
        """Make a message durable. Only after this returns may it be acknowledged.

        Raises:
            TransientError: the store could not take it (full, down): refuse it, so that the sender
                keeps it.
        """
        ...

    async def refuse(self, refusal: Refusal) -> None:
        """Journal a message that was refused."""
        ...

    async def page(self, visit: Visit) -> Page:
        """Render a page for a visit; a view of a person is audited before it is shown."""
        ...

    async def act(self, wanted: Move | PostedForm) -> Acted:
        """Do what is wanted in one transaction, and say what came of it: done, or refused and why.

        The second form of `receive`, for whoever waits for the result: a page or an API. The same
        key again does nothing twice.

        Raises:
            TransientError: the store could not take it (full, down); nothing was done.
        """
        ...
