"""Access tokens: sealed, short-lived, and readable by any process that has the keyring.

A token says which client it is and what it may do. Whether that client may still come in is asked
of the store at every request, so that disabling it holds at once.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime

import orjson

from adapter.plugin.errors import AdapterError
from adapter.security.incoming.scopes import ScopeRefused, Scopes
from adapter.security.keyring import Keyring

LIFETIME = 300
LARGEST = 8192
_CONTEXT = b"api|access token"


@dataclass(frozen=True, slots=True)
class Access:
    """Who holds a token, and what it may do."""

    client: str
    scopes: Scopes


def issue(keyring: Keyring, client: str, scopes: Scopes, now: datetime) -> str:
    """A token that is good for `LIFETIME` seconds."""
    until = int(now.timestamp()) + LIFETIME
    plain = orjson.dumps([client, list(scopes.words()), until])
    return urlsafe_b64encode(keyring.seal(plain, _CONTEXT)).decode().rstrip("=")


def read(keyring: Keyring, token: str, now: datetime) -> Access | None:
    """What a token says, or None if it is not ours or its time is over."""
    if len(token) > LARGEST or not token.isascii():
        return None
    try:
        sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        client, words, until = orjson.loads(keyring.open(sealed, _CONTEXT))
        scopes = Scopes.read(words)
    except (binascii.Error, ValueError, ScopeRefused, AdapterError):
        return None
    return Access(client, scopes) if now.timestamp() < until else None
