"""The service: store, plugins, engine, delivery and pages, put together and run.

Order at start: configuration, store (migrations, pragmas), plugins, packs, systems opened, engine
and courier started, listeners last: nothing is accepted before it can be processed. At the end the
other way round.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog

from adapter import __version__
from adapter.exchange.book import ProgramBook
from adapter.exchange.carrier import Carrier
from adapter.exchange.clock import Clock, SystemClock
from adapter.exchange.clock_watch import ClockWatch
from adapter.exchange.config import Config
from adapter.exchange.counter import Counter
from adapter.exchange.delivery import Courier
from adapter.exchange.desk import Desk
from adapter.exchange.directories import Directories
from adapter.exchange.directory import load_programs
from adapter.exchange.earlier import share_earlier
from adapter.exchange.engine import Engine
from adapter.exchange.fleet import Fleet
from adapter.exchange.installed_plugins import Plugins
from adapter.exchange.intake import Arrived, take_all
from adapter.exchange.ledger import Ledger
from adapter.exchange.mailer import SmtpMailer
from adapter.exchange.mapper import Mapper
from adapter.exchange.metrics import Metrics
from adapter.exchange.packs import formats_of
from adapter.exchange.plugin_guard import PluginGuard
from adapter.exchange.plugins import load_plugins
from adapter.exchange.polling import Pollers
from adapter.exchange.projection import Projector
from adapter.exchange.rounds import Asking
from adapter.exchange.site_context import Pages, SiteContext
from adapter.exchange.sites import SiteFacts, site_facts
from adapter.exchange.store_settings import store_keyring, store_url
from adapter.exchange.subscription_events import Announcer
from adapter.exchange.subscriptions import Notifier
from adapter.exchange.tables import Tables, TableWatch
from adapter.exchange.workbench import Workbench
from adapter.plugin.errors import PluginError
from adapter.plugin.messages import Receipt
from adapter.referral.admission import Rule
from adapter.security.keyring import Keyring
from adapter.store.store import Store
from adapter.store.together import Together

if TYPE_CHECKING:
    from adapter.mapping.packs import Packs
    from adapter.plugin.system import SystemConfig


class Service:
    """One running adapter."""

    def __init__(
        self, config: Config, *, pages: Pages, store: Store, keyring: Keyring, clock: Clock
    ) -> None:
        self.config = config
        self.organization = config.organization
        self.pages = pages
        self.store = store
        self.receipts: Together[Arrived, Receipt] = Together(
            store, partial(take_all, organization=config.organization)
        )
        self.keyring = keyring
        self.clock = clock
        self.plugins: Plugins = load_plugins(config.plugins.enabled)
        self.formats = formats_of(self.plugins)
        self.tables = Tables(config, self.plugins, self.formats)
        self.sites: Mapping[str, SiteFacts] = site_facts(config, self.plugins)
        own = load_programs(config.path(config.routing.programs)) if config.routing.programs else ()
        self.programs = ProgramBook(own, self.sites)
        self.projector = Projector(self.packs)
        self.ledger = Ledger(
            organization=config.organization,
            sites=self.sites,
            programs=self.programs,
            projector=self.projector,
        )
        self.ledger.watch = Announcer(self.ledger, self._fhir).watch
        self.mapper = Mapper(self.packs, self.formats)
        self.engine = Engine(
            ledger=self.ledger,
            mapper=self.mapper,
            sites=self.sites,
            rule=Rule(send=config.routing.send, capacity_days=config.routing.capacity_days),
            clock=clock,
        )
        self.workbench = Workbench(store, self.engine, worked=self._worked)
        self.fleet = Fleet(
            config=config,
            plugins=self.plugins,
            sites=self.sites,
            store=store,
            context=self._context,
        )
        self.table_watch = TableWatch(self.tables, self.sites, self.fleet, self._use)
        carrier = Carrier(
            store=store, mapper=self.mapper, fleet=self.fleet, sites=self.sites, clock=clock
        )
        self.courier = Courier(carrier)
        self.clock_watch = ClockWatch(store, clock, self.courier.wake.set)
        asking = Asking(
            store=store,
            fleet=self.fleet,
            sites=self.sites,
            organization=config.organization,
            clock=clock,
        )
        self.pollers = Pollers(asking, received=self.received)
        self.directories = Directories(asking, book=self.programs)
        self.notifier = Notifier(
            store=store,
            ledger=self.ledger,
            clock=clock,
            test=all(each.test for each in self.sites.values()),
            base=self._fhir,
            mailer=_mailer(config),
        )
        self.desk: Desk = Counter(
            store=store, ledger=self.ledger, clock=clock, moved=self.courier.wake.set
        )
        self.guard = PluginGuard(self.plugins, self.fleet, memory_mib=config.plugins.memory_mib)
        self.metrics = Metrics(store, self.sites)
        self._address = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._log = structlog.get_logger("service")

    @classmethod
    def open(cls, config: Config, *, pages: Pages, clock: Clock | None = None) -> Service:
        """A service with its store open.

        Raises:
            AdapterError: configuration or store do not allow a start; nothing was started.
        """
        keyring = store_keyring(config)
        store = Store.open(store_url(config), keyring)
        return cls(config, pages=pages, store=store, keyring=keyring, clock=clock or SystemClock())

    def hold_strictly(self) -> None:
        """For `--strict`: nothing that is configured may be out of order for good.

        Raises:
            PluginError: an enabled plugin failed. ConfigError, PluginError: what the first site
                that cannot work says; peers that are down are no reason.
        """
        for plugin in self.plugins.loaded:
            if plugin.state == "failed":
                raise PluginError(
                    plugin.code, f"the plugin {plugin.name}: {plugin.reason}", fix=plugin.fix
                )
        for fault in self.fleet.faults.values():
            raise fault

    @property
    def packs(self) -> Packs:
        """The mapping tables in use."""
        return self.tables.packs

    def _use(self, packs: Packs) -> None:
        """Map by these from the next message on."""
        self.mapper.packs = packs
        self.projector.use(packs)

    def _context(self, facts: SiteFacts, settings: SystemConfig) -> SiteContext:
        """What a site's system is given; refused where the site's tables have a fault."""
        fault = self.tables.fault_of(facts)
        if fault is not None:
            raise fault
        return SiteContext(self, facts, settings)

    def now(self) -> datetime:
        """The time, with UTC offset."""
        return self.clock.now()

    def base_url(self) -> str:
        """How the outside reaches this server."""
        return (self.config.server.base_url or self._address).rstrip("/")

    def _fhir(self) -> str:
        return f"{self.base_url()}/fhir"

    def bound(self, address: str) -> None:
        """Tell where the HTTP server listens, once it is known."""
        self._address = address

    def received(self) -> None:
        """Somebody put a message into the inbox."""
        self.workbench.arrived.set()

    def _worked(self) -> None:
        """What came was worked on: there may be something to deliver."""
        self.courier.wake.set()

    async def start(self) -> None:
        """Open every site, start engine and courier, then listen.

        Raises:
            StoreError: another process delivers from this store, and a second one may not.
        """
        self.store.hold()
        organizations = {name: each.organization for name, each in self.sites.items()}
        await asyncio.to_thread(share_earlier, self.store, self.organization, organizations)
        self._tell_failed_plugins()
        self.guard.start()
        await self.directories.load()
        await self.fleet.open()
        self._tasks = [
            asyncio.create_task(self.workbench.run(), name="engine"),
            asyncio.create_task(self.courier.run(), name="courier"),
            asyncio.create_task(self.clock_watch.run(), name="clock"),
            asyncio.create_task(self.table_watch.run(), name="tables"),
            asyncio.create_task(self.notifier.run(), name="subscriptions"),
        ]
        self.pollers.start()
        self.directories.start()
        await self.fleet.listen()
        self._log.info("service.started", version=__version__, listeners=dict(self.fleet.addresses))

    async def start_delivering(self) -> None:
        """Open every site and deliver; take nothing in, and leave the inbox to others."""
        self._tell_failed_plugins()
        self.guard.start()
        await self.fleet.open()
        self._tasks = [
            asyncio.create_task(self.courier.run(), name="courier"),
            asyncio.create_task(self.clock_watch.run(), name="clock"),
            asyncio.create_task(self.table_watch.run(), name="tables"),
        ]
        self._log.info("service.started", version=__version__, listeners={})

    def _tell_failed_plugins(self) -> None:
        for each in self.plugins.loaded:
            if each.state == "failed":
                said = {"code": each.code, "message": each.reason, "fix": each.fix}
                self._log.error("plugin.failed", plugin=each.name, **said)

    async def stop(self, seconds: float = 8.0) -> None:
        """Stop taking, finish what is in flight, let go. What is queued stays queued."""
        ran = bool(self._tasks)
        if ran:
            self._log.info("service.stopping")
        self.workbench.begin_stop()
        await self.fleet.stop_listening()
        self.workbench.arrived.set()
        self.notifier.stop()
        await asyncio.gather(
            self.courier.stop(seconds),
            self.pollers.stop(seconds),
            self.directories.stop(seconds),
        )
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.fleet.close()
        self.guard.stop()
        self.store.close()
        if ran:
            self._log.info("service.stopped")


def _mailer(config: Config) -> SmtpMailer | None:
    if config.smtp is None:
        return None
    password = (
        config.secret(config.smtp.password, "smtp.password") if config.smtp.password else None
    )
    return SmtpMailer(config.smtp, password)
