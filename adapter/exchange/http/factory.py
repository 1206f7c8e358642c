"""One HTTP client for each site, made from its settings."""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

import httpx

from adapter.exchange.http.addresses import AddressRules
from adapter.exchange.http.capped import CappedTransport
from adapter.exchange.http.client import SiteClient
from adapter.exchange.http.faults import fault_of
from adapter.exchange.http.guard import Origin, UrlRefused, UrlRules, allowed_hosts, origin_of
from adapter.exchange.http.pinned import PinnedBackend, Resolve
from adapter.exchange.http.transport import GuardedTransport
from adapter.exchange.http.wire_log import quiet_libraries
from adapter.plugin.auth import OAuth1Auth, OAuth2Auth, SmartAuth
from adapter.plugin.context import Log, Site, State
from adapter.plugin.errors import ConfigError
from adapter.plugin.http import HttpSettings, HttpSystemConfig
from adapter.plugin.system import SystemConfig
from adapter.security.outgoing.registry import outgoing_auth
from adapter.security.outgoing.scheme import OutgoingAuth, Surroundings
from adapter.security.outgoing.tls import public_tls, site_tls


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What a client takes from the core, and what a test may put in its place.

    Attributes:
        now, sleep: the site's clock. `elapsed`: seconds of a clock that never goes back.
        chance: a random number from 0 to 1. `random`: fresh random bytes.
        resolve: looks names up. `road`: takes the place of sockets altogether.
    """

    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    elapsed: Callable[[], float] = time.monotonic
    chance: Callable[[], float] = secrets.SystemRandom().random
    random: Callable[[int], bytes] = secrets.token_bytes
    resolve: Resolve | None = None
    road: httpx.AsyncBaseTransport | None = None


def site_client(
    site: Site, config: SystemConfig, *, state: State, log: Log, wiring: Wiring
) -> SiteClient:
    """The client of one site. Nothing is sent before it is used; close it with `aclose`.

    Args:
        config: the site's settings; without those of `HttpSystemConfig` it reaches no address.

    Raises:
        ConfigError: base_url, an allow-list, a key or a certificate cannot be used.
    """
    if not isinstance(config, HttpSystemConfig):
        return _client("", UrlRules(), HttpSettings(), _Nowhere(), log, wiring)
    rules = _rules(site, config)
    road = wiring.road or _road(rules, config, wiring)
    around = _around(site, config, _token_client(config, rules, road, log, wiring), state, wiring)
    auth = outgoing_auth(config.auth, around)
    return _client(
        config.base_url, rules, config.http, CappedTransport(road), log, wiring, auth=auth
    )


@asynccontextmanager
async def surroundings(
    site: Site, config: HttpSystemConfig, *, state: State, log: Log, wiring: Wiring
) -> AsyncIterator[Surroundings]:
    """What `adapter.security.outgoing.authorization` needs, for the time of one step.

    Raises:
        ConfigError: base_url, an allow-list or a certificate cannot be used.
    """
    rules = _rules(site, config)
    road = wiring.road or _road(rules, config, wiring)
    client = _token_client(config, rules, road, log, wiring)
    try:
        yield _around(site, config, client, state, wiring)
    finally:
        await client.aclose()


def _client(
    base_url: str,
    rules: UrlRules,
    settings: HttpSettings,
    road: httpx.AsyncBaseTransport,
    log: Log,
    wiring: Wiring,
    auth: OutgoingAuth | None = None,
) -> SiteClient:
    quiet_libraries()
    return SiteClient(
        base_url=base_url,
        rules=rules,
        transport=road,
        settings=settings,
        log=log,
        now=wiring.now,
        sleep=wiring.sleep,
        chance=wiring.chance,
        auth=auth,
        secret_headers=auth.secret_headers if auth else frozenset(),
    )


def _token_client(
    config: HttpSystemConfig,
    rules: UrlRules,
    road: httpx.AsyncBaseTransport,
    log: Log,
    wiring: Wiring,
) -> SiteClient:
    """The client that asks for tokens: it may also reach the addresses that the settings name."""
    hosts = (rules.hosts or frozenset()) | {(each.host, each.port) for each in _named(config)}
    wider = UrlRules(home=rules.home, hosts=hosts, addresses=rules.addresses)
    return _client(config.base_url, wider, config.http, CappedTransport(road), log, wiring)


def _around(
    site: Site, config: HttpSystemConfig, client: SiteClient, state: State, wiring: Wiring
) -> Surroundings:
    return Surroundings(
        site=site.name,
        base_url=config.base_url,
        send=client.bare,
        judge=lambda response: fault_of(response, now=wiring.now()),
        state=state,
        now=wiring.now,
        elapsed=wiring.elapsed,
        random=wiring.random,
    )


def _rules(site: Site, config: HttpSystemConfig) -> UrlRules:
    settings = config.http
    addresses = AddressRules.of(settings.networks, loopback=site.test)
    try:
        home = origin_of(config.base_url)
        rules = UrlRules(home=home, hosts=allowed_hosts(settings.allow), addresses=addresses)
        rules.check(config.base_url)
    except UrlRefused as error:
        fix = "Use the peer's own https address; a peer on this machine needs test = true."
        raise ConfigError("config.base-url", f"base_url: {error.message}", fix=fix) from None
    return rules


def _named(config: HttpSystemConfig) -> Iterator[Origin]:
    """The origins of the addresses that the settings of the scheme name themselves."""
    auth = config.auth
    urls: tuple[str | None, ...] = ()
    if isinstance(auth, OAuth2Auth | SmartAuth):
        urls = (auth.token_url,)
    elif isinstance(auth, OAuth1Auth):
        urls = (auth.request_token_url, auth.access_token_url)
    for url in urls:
        if url and "://" in url:
            try:
                yield origin_of(url)
            except UrlRefused as error:
                raise ConfigError(
                    "config.auth-address",
                    f"an address of the authentication is refused: {error.reason}",
                    fix="Correct the addresses in [sites.NAME.settings.auth].",
                ) from None


def _road(rules: UrlRules, config: HttpSystemConfig, wiring: Wiring) -> httpx.AsyncBaseTransport:
    auth = config.auth
    key = auth.certificate_key.get_secret_value() if auth.certificate_key else None
    tls = site_tls(ca=config.http.ca, certificate=auth.certificate, key=key)

    def road(context: ssl.SSLContext) -> GuardedTransport:
        backend = PinnedBackend(rules.addresses, resolve=wiring.resolve)
        return GuardedTransport(backend, tls=context, max_connections=config.http.max_connections)

    if tls is public_tls():
        return road(tls)
    assert rules.home is not None
    return _Fork({rules.home, *_named(config)}, road(tls), road(public_tls()))


class _Fork(httpx.AsyncBaseTransport):
    """Our certificate and the site's own authority are for the site's own origins alone."""

    def __init__(
        self,
        own: Collection[Origin],
        road: httpx.AsyncBaseTransport,
        other: httpx.AsyncBaseTransport,
    ) -> None:
        self._own = own
        self._road = road
        self._other = other

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        own = origin_of(str(request.url)) in self._own
        return await (self._road if own else self._other).handle_async_request(request)

    async def aclose(self) -> None:
        await self._road.aclose()
        await self._other.aclose()


class _Nowhere(httpx.AsyncBaseTransport):
    """The road of a site that has no address."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        raise UrlRefused("the site has no base_url")
