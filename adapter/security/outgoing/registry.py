"""The schemes by their names in `[sites.NAME.settings.auth] type = "…"`."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from adapter.plugin.auth import AuthSettings
from adapter.security.outgoing.scheme import OutgoingAuth, Surroundings

# Imported when first used: each brings libraries that the others do not need.
SCHEMES: dict[str, str] = {
    "none": "adapter.security.outgoing.fixed:nothing",
    "basic": "adapter.security.outgoing.fixed:basic",
    "api-key": "adapter.security.outgoing.fixed:api_key",
    "oauth2": "adapter.security.outgoing.client_credentials:client_credentials",
    "smart": "adapter.security.outgoing.smart:smart",
    "oauth1": "adapter.security.outgoing.oauth1:OAuth1",
    "mtls": "adapter.security.outgoing.fixed:nothing",
}


def outgoing_auth(settings: AuthSettings, around: Surroundings) -> OutgoingAuth:
    """The scheme of a site, ready to use; it asks for no token before it needs one.

    Raises:
        ConfigError: a key or a certificate in the settings cannot be used.
    """
    module, _, name = SCHEMES[settings.type].partition(":")
    build: Callable[[Any, Surroundings], OutgoingAuth] = getattr(import_module(module), name)
    return build(settings, around)
