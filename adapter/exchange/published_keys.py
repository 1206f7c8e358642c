"""The public halves of the keys that our sites sign with, for peers to fetch (RFC 7517).

A peer that registers us by an address (SMART App Launch 2.2, "Registering a client") is given
``https://…/.well-known/jwks.json`` of this server; a key that is added to a site's key file is
published before it signs, and one that stays there after another took its place is still found.
"""

from __future__ import annotations

from typing import Any

import structlog

from adapter.exchange.fleet import Fleet
from adapter.plugin.auth import SmartAuth
from adapter.plugin.errors import AdapterError

_log = structlog.get_logger("keys")


def published_keys(fleet: Fleet) -> dict[str, Any]:
    """One JWKS for all sites, each key once; a site whose settings are wrong has none in it."""
    from adapter.security.outgoing.signing_keys import public_jwks

    found: dict[str, dict[str, Any]] = {}
    for name in fleet.sites:
        try:
            auth = getattr(fleet.settings(name), "auth", None)
            if isinstance(auth, SmartAuth):
                found |= {key["kid"]: key for key in public_jwks(auth)["keys"]}
        except AdapterError as error:
            _log.warning("keys.not-published", site=name, code=error.code)
    return {"keys": list(found.values())}
