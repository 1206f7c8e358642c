"""The fleet: every site's system, opened each on its own, and its state for people to see.

A system that cannot be opened is tried again with growing pauses; the others run meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import structlog
from pydantic import ValidationError

from adapter.exchange import watch
from adapter.exchange.config import Config
from adapter.exchange.holding import say_state
from adapter.exchange.installed_plugins import Plugins
from adapter.exchange.secrets import Secrets
from adapter.exchange.site_context import SiteContext
from adapter.exchange.sites import SiteFacts
from adapter.exchange.watch import interrupting, raised, stretched, watched
from adapter.exchange.wrong_keys import wrong_keys
from adapter.plugin.errors import AdapterError, ConfigError, PluginError, TransientError
from adapter.plugin.http import Http
from adapter.plugin.system import ASGIApp, HttpEndpoint, Listener, Receives, System, SystemConfig
from adapter.security.known_secrets import scrubbed
from adapter.store.errors import StoreError
from adapter.store.store import Store

if TYPE_CHECKING:
    from adapter.security.outgoing.scheme import Surroundings

OPEN_TIMEOUT = 30.0


class Fleet:
    """All systems of this process."""

    def __init__(
        self,
        *,
        config: Config,
        plugins: Plugins,
        sites: Mapping[str, SiteFacts],
        store: Store,
        context: Callable[[SiteFacts, SystemConfig], SiteContext],
    ) -> None:
        self.config = config
        self.plugins = plugins
        self.sites = sites
        self.store = store
        self.addresses: dict[str, str] = {}
        self.apps: dict[str, Any] = {}
        self.faults: dict[str, AdapterError] = {}
        self._context = context
        self._contexts: dict[str, SiteContext] = {}
        self._systems: dict[str, System] = {}
        self._listeners: dict[str, list[Listener]] = {}
        self._retries: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("sites")

    def system(self, site: str) -> System:
        """The open system of a site.

        Raises:
            TransientError: it is not open now; it is being tried again.
        """
        found = self._systems.get(site)
        if found is None:
            raise TransientError(
                "site.not-open",
                f"the site {site} is not open",
                fix=f"See: adapter sites list, and [sites.{site}] in adapter.toml.",
            )
        return found

    def http_for(self, address: str) -> Http | None:
        """The guarded client of the site whose peer is at this address, or None."""
        for context in self._contexts.values():
            base = context.http.base_url.rstrip("/")
            if base and (address == base or address.startswith(f"{base}/")):
                return context.http
        return None

    async def open(self) -> None:
        """Open every site once; those that fail are tried again in the background."""
        await asyncio.gather(*(self._open_or_retry(name, 0) for name in self.sites))

    async def listen(self) -> None:
        """Start every listener and collect every HTTP endpoint."""
        for name, system in self._systems.items():
            await self._start(name, system)

    async def stop_listening(self) -> None:
        """Take nothing more; what is in flight is finished."""
        for name in tuple(self._listeners):
            await self._stop_listeners(name)

    async def _stop_listeners(self, name: str) -> None:
        for listener in self._listeners.pop(name, ()):
            try:
                await watched(listener.stop(), seconds=OPEN_TIMEOUT)
            except Exception as error:  # noqa: BLE001 - the others must be stopped too
                self._log.warning("site.stop-failed", site=name, error=type(error).__name__)

    async def close(self) -> None:
        """Close every system."""
        for task in self._retries:
            task.cancel()
        for name, system in self._systems.items():
            try:
                await watched(system.close(), seconds=OPEN_TIMEOUT)
            except Exception as error:  # noqa: BLE001 - the others must be closed too
                self._log.warning("site.close-failed", site=name, error=type(error).__name__)
        self._systems.clear()
        for context in self._contexts.values():
            await context.close()
        self._contexts.clear()

    async def blame(self, plugin: str, fault: PluginError, *, dismiss: bool) -> None:
        """Say what a plugin did at each of its sites; `dismiss` closes them until a restart."""
        for name, site in self.sites.items():
            if self.plugins.owner(site.system) != plugin:
                continue
            if dismiss and name in self._systems:
                self.apps.pop(name, None)
                await self._stop_listeners(name)
                await self._let_go(name, self._systems.pop(name))
            await self._state(name, "failed", fault)
            self._log.error("site.blamed", site=name, code=fault.code, dismissed=dismiss)

    def roots(self, plugin: str) -> list[System]:
        """The open systems of a plugin."""
        return [
            system
            for name, system in tuple(self._systems.items())
            if self.plugins.owner(self.sites[name].system) == plugin
        ]

    def build(self, name: str) -> System:
        """A site's system from its table, not opened.

        Raises:
            ConfigError: its settings are not right. PluginError: its plugin is not.
        """
        site = self.sites[name]
        kind = self._kind(name)
        settings = self._settings(name, kind)
        context = self._contexts[name] = self._context(site, settings)
        try:
            with interrupting(watch.STRETCH_SECONDS):
                return kind(settings, context)
        except SystemExit as error:
            raise PluginError("plugin.exits", "the plugin tried to end the process") from error

    def surroundings(self, name: str) -> AbstractAsyncContextManager[Surroundings]:
        """What the steps of a site's authentication need; its system was built before."""
        return self._contexts[name].surroundings()

    def settings(self, name: str) -> SystemConfig:
        """A site's settings, checked, with its secrets.

        Raises:
            ConfigError: they are not right. PluginError: its plugin is not.
        """
        return self._settings(name, self._kind(name))

    def _kind(self, name: str) -> type[System]:
        """The class of a site's system; where there is none, the error names the key."""
        try:
            return self.plugins.system(self.sites[name].system)
        except PluginError as error:
            raise PluginError(
                error.code,
                f"{self.config.file}: sites.{name}.system: {error.message}",
                fix=error.fix,
                detail=error.detail,
            ) from error

    def _settings(self, name: str, kind: type[System]) -> SystemConfig:
        secrets = Secrets(self.config, self.plugins)
        settings = secrets.resolved(self.config.sites[name].settings, f"sites.{name}.settings")
        try:
            made = kind.Config.model_validate(settings)
        except ValidationError as error:
            within = f"sites.{name}.settings"
            raise ConfigError(
                "config.site-settings",
                f"{self.config.file}: {wrong_keys(error, kind.Config, within=within)}",
                fix="Correct what is named (each setting is explained by: adapter plugins show "
                f"{self.sites[name].system}), then check with: {self.config.checked_by}",
            ) from error
        secrets.refuse_inline(name, made)
        return made

    async def reopen(self, name: str) -> None:
        """Open a site that stayed closed for its configuration, once that is mended."""
        if name not in self._systems:
            await self._open_or_retry(name, 1)

    async def remark(self, name: str, fault: ConfigError | None) -> None:
        """Say something about a site that is open and stays so, or take it back."""
        if name in self._systems:
            await self._state(name, "ready", fault)

    async def _open_or_retry(self, name: str, tries: int) -> None:
        system: System | None = None
        try:
            system = self.build(name)
            await watched(system.open(), seconds=OPEN_TIMEOUT)
        except AdapterError as error:
            await self._let_go(name, system)
            await self._not_open(name, error, tries)
        except Exception as error:  # noqa: BLE001 - one plugin's fault stops no other site
            await self._let_go(name, system)
            await self._not_open(name, raised(name, error, "open()"), tries)
        else:
            self._systems[name] = system
            await self._state(name, "ready", None)
            if tries:
                await self._start(name, system)

    async def _let_go(self, name: str, system: System | None) -> None:
        """Close what was opened in part; the site's context goes with it."""
        try:
            if system is not None:
                await watched(system.close(), seconds=OPEN_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - the fault that is told is the first one
            self._log.warning("site.close-failed", site=name, error=type(error).__name__)
        context = self._contexts.pop(name, None)
        if context is not None:
            await context.close()

    async def _not_open(self, name: str, error: AdapterError, tries: int) -> None:
        scrubbed(error)
        self._log.error(
            "site.not-open", site=name, code=error.code, message=error.message, fix=error.fix
        )
        if isinstance(error, ConfigError | PluginError):
            self.faults[name] = error
        if isinstance(error, ConfigError):
            await self._state(name, "config-error", error)
            return
        if isinstance(error, PluginError):
            await self._state(name, "failed", error)
            return
        await self._state(name, "retrying", error)
        task = asyncio.create_task(self._again(name, tries + 1))
        self._retries.add(task)
        task.add_done_callback(self._retries.discard)

    async def _again(self, name: str, tries: int) -> None:
        await asyncio.sleep(min(5 * 2**tries, 300))
        await self._open_or_retry(name, tries)

    async def _start(self, name: str, system: System) -> None:
        if not isinstance(system, Receives):
            return
        try:
            with interrupting(watch.STRETCH_SECONDS):
                endpoints = list(system.endpoints())
            for endpoint in endpoints:
                await self._start_one(name, endpoint)
        except AdapterError as error:
            await self._deaf(name, error)
        except OSError as error:
            fault = ConfigError(
                "site.cannot-listen",
                f"the site {name} cannot listen: {error.strerror or type(error).__name__}",
                fix="Choose another port, or end what uses it.",
            )
            await self._deaf(name, fault)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the other sites must listen
            await self._deaf(name, raised(name, error, "endpoints()"))

    async def _start_one(self, name: str, endpoint: Listener | HttpEndpoint) -> None:
        if isinstance(endpoint, HttpEndpoint):
            self.apps[name] = _contained(endpoint.app)
            return
        self.addresses[name] = await watched(endpoint.start(), seconds=OPEN_TIMEOUT)
        self._listeners.setdefault(name, []).append(endpoint)

    async def _deaf(self, name: str, fault: AdapterError) -> None:
        self.faults[name] = fault
        await self._state(name, "failed", fault)
        self._log.error("site.cannot-listen", site=name, code=fault.code)

    async def _state(self, name: str, state: str, error: AdapterError | None) -> None:
        """Say how a site stands. That this cannot be written keeps no site from working."""
        try:
            await self.store.write(
                lambda tx: say_state(
                    tx, name, state, organization=self.config.organization, error=error
                )
            )
        except StoreError as fault:
            self._log.warning("site.state-not-written", site=name, code=fault.code)


def _contained(app: ASGIApp) -> ASGIApp:
    """An application that cannot end the process: its SystemExit becomes a server error."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        try:
            await stretched(app(scope, receive, send), watch.STRETCH_SECONDS)
        except SystemExit as error:
            raise PluginError("plugin.exits", "the plugin tried to end the process") from error

    return call
