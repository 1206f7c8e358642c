"""The client for addresses that peers register with us: key sets, and where to be notified.

Every public host may be reached at the usual ports, and nothing of the inside; plain http and
loopback only where everything is a test. The address is looked up once and connected to as checked.
What a peer registered to be sent with it, such as `Authorization`, goes to that address.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime

import httpx

from adapter.exchange.http.addresses import AddressRules
from adapter.exchange.http.capped import CappedTransport
from adapter.exchange.http.client import SiteClient
from adapter.exchange.http.guard import UrlRules
from adapter.exchange.http.pinned import PinnedBackend
from adapter.exchange.http.transport import GuardedTransport
from adapter.exchange.http.wire_log import quiet_libraries
from adapter.plugin.context import Log
from adapter.plugin.http import HttpSettings
from adapter.security.outgoing.tls import public_tls

_LIMITS = HttpSettings(
    connect_timeout=5, timeout=10, total_timeout=20, max_response_bytes=256 * 1024, retries=0
)


def rules(*, test: bool) -> UrlRules:
    """Which addresses a peer may register."""
    return UrlRules(hosts=None, addresses=AddressRules.of((), loopback=test))


def registered_client(
    *,
    test: bool,
    log: Log,
    now: Callable[[], datetime],
    road: httpx.AsyncBaseTransport | None = None,
) -> SiteClient:
    """A client for such addresses; close it with `aclose`. `road` takes the place of sockets."""
    quiet_libraries()
    allowed = rules(test=test)
    transport = road or GuardedTransport(
        PinnedBackend(allowed.addresses), tls=public_tls(), max_connections=16
    )
    return SiteClient(
        base_url="",
        rules=allowed,
        transport=CappedTransport(transport),
        settings=_LIMITS,
        log=log,
        now=now,
        sleep=asyncio.sleep,
        chance=secrets.SystemRandom().random,
        own_headers=True,
    )
