"""Where the next page begins: a sealed token that says nothing and that nobody else can make."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import orjson

from adapter.api.faults import refused
from adapter.plugin.errors import AdapterError
from adapter.security.keyring import Keyring

Pairs = list[tuple[str, str]]


def _context(party: str | None) -> bytes:
    """A token is for the organization that it was given to."""
    return b"api|page" + (f"|{party}".encode() if party is not None else b"")


def page_token(
    keyring: Keyring, party: str | None, kind: str, asked: Pairs, after: Any, until: int = 0
) -> str:
    """A token for the rest of this search: after this place, of what there was up to another."""
    plain = orjson.dumps([kind, asked, after, until])
    return base64.urlsafe_b64encode(keyring.seal(plain, _context(party))).decode().rstrip("=")


def page_of(keyring: Keyring, party: str | None, kind: str, token: str) -> tuple[Pairs, Any, int]:
    """The search that a token goes on with, from where, and up to where; 400 if it is not ours."""
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
        of_kind, asked, after, until = orjson.loads(keyring.open(sealed, _context(party)))
    except (binascii.Error, ValueError, AdapterError):
        raise _not_ours() from None
    if of_kind != kind:
        raise _not_ours()
    return [(name, value) for name, value in asked], after, until


def _not_ours() -> Exception:
    return refused(400, "Follow the link next as it was given.", "http._page", rule="page")
