"""The context of one site: the core as its plugin sees it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import structlog

from adapter.exchange.desk import Desk
from adapter.exchange.intake import Arrived, refuse
from adapter.exchange.moves import make
from adapter.exchange.pool import SitePool
from adapter.exchange.sites import SiteFacts
from adapter.plugin.acts import Acted, Move, PostedForm
from adapter.plugin.context import Log, Site, State
from adapter.plugin.errors import ConfigError, TransientError
from adapter.plugin.http import Http, HttpSystemConfig
from adapter.plugin.messages import Inbound, Receipt, Refusal
from adapter.plugin.pages import Page, Visit
from adapter.plugin.system import SystemConfig
from adapter.security.keyring import Keyring
from adapter.store.errors import StoreError
from adapter.store.failpoints import point
from adapter.store.store import Store
from adapter.store.together import Together

if TYPE_CHECKING:
    from adapter.exchange.http.client import SiteClient
    from adapter.security.outgoing.scheme import Surroundings

T = TypeVar("T")
_RECEIVED = point("receive.durable")


class Pages(Protocol):
    """Renders pages and does what their forms ask; the portal implements it."""

    async def page(self, visit: Visit, *, site: str, desk: Desk) -> Page:
        """The page of a visit."""
        ...

    async def act(
        self, visit: Visit, form: Mapping[str, list[str]], *, site: str, desk: Desk
    ) -> Acted:
        """Do what a form asks; what came of it, with the page that says so."""
        ...


class Core(Protocol):
    """What a context needs of the service."""

    store: Store
    keyring: Keyring
    pages: Pages
    desk: Desk
    organization: str
    receipts: Together[Arrived, Receipt]

    def now(self) -> datetime:
        """The time, with UTC offset."""
        ...

    def base_url(self) -> str:
        """How the outside reaches this server."""
        ...

    def received(self) -> None:
        """Somebody put a message into the inbox."""
        ...


class SiteState:
    """`State` for one site, over the store."""

    def __init__(self, store: Store, site: SiteFacts, organization: str) -> None:
        self._store = store
        self._site = site.name
        self._organization = organization

    async def get(self, key: str) -> bytes | None:
        """The value, or None."""
        return await self._store.read(lambda tx: tx.state.get(self._site, key))

    async def put(self, key: str, value: bytes, *, expires: datetime | None = None) -> None:
        """Durable when it returns."""
        await self._store.write(
            lambda tx: tx.state.put(
                self._site, key, value, organization=self._organization, expires=expires
            )
        )

    async def add(self, key: str, value: bytes, *, expires: datetime | None = None) -> bool:
        """Put only if nothing is there."""
        return await self._store.write(
            lambda tx: tx.state.add(
                self._site, key, value, organization=self._organization, expires=expires
            )
        )

    async def delete(self, key: str) -> None:
        """Forget it."""
        await self._store.write(lambda tx: tx.state.delete(self._site, key))


class SiteContext:
    """`adapter.plugin.Context` for one site."""

    def __init__(self, core: Core, facts: SiteFacts, settings: SystemConfig) -> None:
        self._core = core
        self._settings = settings
        self._client: SiteClient | None = None
        self._pool = SitePool(facts.name)
        self._facts = facts
        self._log = structlog.get_logger("plugin").bind(site=facts.name)
        self._state = SiteState(core.store, facts, core.organization)
        self._site = Site(
            name=facts.name,
            organization=facts.organization,
            test=facts.test,
            timezone=facts.timezone,
            language=facts.language,
            role=facts.role,
        )

    @property
    def site(self) -> Site:
        """The site that this system serves."""
        return self._site

    @property
    def log(self) -> Log:
        """The site's log."""
        log: Log = self._log
        return log

    @property
    def http(self) -> Http:
        """The site's own HTTP client, made when it is first asked for."""
        if self._client is None:
            from adapter.exchange.http.factory import Wiring, site_client

            self._client = site_client(
                self._site,
                self._settings,
                state=self._state,
                log=self._log,
                wiring=Wiring(now=self.now, sleep=self.sleep),
            )
        return self._client

    def surroundings(self) -> AbstractAsyncContextManager[Surroundings]:
        """What the steps of an authentication scheme need that a person takes part in.

        Raises:
            ConfigError: the site's settings name no address that may be reached.
        """
        from adapter.exchange.http.factory import Wiring, surroundings

        if not isinstance(self._settings, HttpSystemConfig):
            raise ConfigError("config.base-url", f"the site {self._site.name} speaks no HTTP")
        wiring = Wiring(now=self.now, sleep=self.sleep)
        return surroundings(
            self._site, self._settings, state=self._state, log=self._log, wiring=wiring
        )

    async def close(self) -> None:
        """Let go of connections and workers; the core calls it when the system is closed."""
        self._pool.close()
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    @property
    def state(self) -> State:
        """The site's own durable store."""
        return self._state

    def now(self) -> datetime:
        """The time, with UTC offset."""
        return self._core.now()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def token(self, purpose: str) -> bytes:
        """32 bytes, always the same for the same purpose at this site."""
        return self._core.keyring.derive(f"site|{self._facts.name}|{purpose}")

    def random(self, size: int) -> bytes:
        """Fresh random bytes."""
        return secrets.token_bytes(size)

    def url(self, path: str) -> str:
        """The absolute address of a path among this site's HTTP endpoints."""
        return f"{self._core.base_url()}/sites/{self._facts.name}/{path.lstrip('/')}"

    async def offload(self, function: Callable[..., T], *args: Any) -> T:
        """Run in a worker process of this site's own."""
        return await self._pool.run(function, *args)

    async def receive(self, message: Inbound) -> Receipt:
        """Make a message durable, once."""
        try:
            receipt = await self._core.receipts.do((self._facts.name, message))
        except StoreError as error:
            raise TransientError(
                error.code, "the message could not be stored", fix=error.fix
            ) from error
        _RECEIVED()
        if receipt.state == "accepted":
            self._core.received()
        return receipt

    async def refuse(self, refusal: Refusal) -> None:
        """Journal a refusal."""
        try:
            await self._core.store.write(
                lambda tx: refuse(
                    tx, refusal, site=self._facts.name, organization=self._core.organization
                )
            )
        except StoreError as error:
            self._log.error("message.refusal-not-journaled", code=error.code)

    async def page(self, visit: Visit) -> Page:
        """Render a page."""
        return await self._core.pages.page(visit, site=self._facts.name, desk=self._core.desk)

    async def act(self, wanted: Move | PostedForm) -> Acted:
        """Do what is wanted, and say what came of it."""
        desk = self._core.desk
        if isinstance(wanted, PostedForm):
            return await self._core.pages.act(
                wanted.visit, wanted.form, site=self._facts.name, desk=desk
            )
        return await make(wanted, site=self._facts, at=desk)
