"""Registering clients of the FHIR API: checked before it is stored (`adapter clients add`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from adapter.exchange.config import Config, is_loopback
from adapter.exchange.directory import load_programs
from adapter.exchange.http.guard import UrlRefused
from adapter.exchange.http.registered import rules
from adapter.plugin.errors import DataError
from adapter.security.incoming.assertions import AssertionRefused, check_keys
from adapter.security.incoming.scopes import ScopeRefused, Scopes
from adapter.store.clients import ClientRow
from adapter.store.transaction import Transaction

Shape = dict[str, Any]


def register(
    tx: Transaction, config: Config, *, name: str, party: str, jwks: str, scopes: Iterable[str]
) -> ClientRow:
    """Register a client; `jwks` is a file or an https address, `scopes` may hold several in one.

    Raises:
        DataError: the key set or a scope cannot be used, or the name is taken.
    """
    words = [word for each in scopes for word in each.split()]
    if not words:
        raise _scope("no scope is given")
    try:
        allowed = Scopes.read(words)
    except ScopeRefused as error:
        raise _scope(str(error)) from None
    url, held = _key_set(jwks, test=all(each.test for each in config.sites.values()))
    identity = tx.clients.add(
        name,
        organization=config.organization,
        party=party,
        scopes=allowed.words(),
        jwks_url=url,
        jwks=held,
    )
    added = tx.clients.get(identity) if identity else None
    if added is None:
        raise DataError(
            "client.name-taken",
            f"a client is named {name} already",
            fix="Give it another name; see: adapter clients list",
        )
    return added


def is_known(tx: Transaction, config: Config, party: str) -> bool:
    """Whether anything here is of an organization of this name: a site, a program, a record.

    Nothing that is unknown today is wrong, for its records may come later; but a name that was
    mistyped looks just like it, and its client would see nothing for ever.
    """
    known = {config.organization, *(each.organization for each in config.sites.values())}
    if config.routing.programs:
        programs = load_programs(config.path(config.routing.programs))
        known |= {each.organization for each in programs}
    if party in known:
        return True
    kind, _, identity = party.partition("/")
    if kind == "Organization" and identity and tx.resources.get(kind, identity) is not None:
        return True
    return any(
        tx.resources.search("Organization", keys=keys, limit=1)
        for keys in ({"name": party}, {"identifier": f"|{party}"})
    )


def disable(tx: Transaction, named: str) -> ClientRow:
    """Let a client, by its id or name, in no more.

    Raises:
        DataError: there is no such client, or it is disabled already.
    """
    found = next((each for each in tx.clients.list() if named in (each.id, each.name)), None)
    if found is None or not tx.clients.disable(found.id):
        raise DataError(
            "client.unknown",
            "there is no such client that may come in",
            fix="See the ids with: adapter clients list",
        )
    return found


def shape(row: ClientRow) -> Shape:
    """One client for people and scripts."""
    return {
        "id": row.id,
        "name": row.name,
        "organization": row.party,
        "scopes": list(row.scopes),
        "keys": row.jwks_url or "inline",
        "state": "disabled" if row.disabled_at else "enabled",
        "created_at": row.created_at.isoformat(timespec="milliseconds"),
    }


def _key_set(jwks: str, *, test: bool) -> tuple[str | None, Shape | None]:
    """Where the keys are, or the keys themselves."""
    if "://" in jwks:
        parts = urlsplit(jwks)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise _keys("over plain http anybody on the way could put a key of their own there")
        try:
            rules(test=test).check(jwks)
        except UrlRefused as error:
            raise _keys(f"the address is refused: {error.reason}") from None
        return jwks, None
    try:
        found = orjson.loads(Path(jwks).read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise _keys(f"the file cannot be read as JSON ({type(error).__name__})") from None
    held = {"keys": [found]} if isinstance(found, dict) and "kty" in found else found
    try:
        check_keys(held)
    except AssertionRefused as error:
        raise _keys(str(error)) from None
    return None, {"keys": held["keys"]}


def _keys(text: str) -> DataError:
    return DataError(
        "client.key-set",
        f"the key set cannot be used: {text}",
        fix="Give --jwks a JWKS file or https address with the client's public RS384 or ES384 key.",
    )


def _scope(text: str) -> DataError:
    return DataError(
        "client.scope", text, fix="Write scopes such as system/Task.rus or system/*.cruds."
    )
