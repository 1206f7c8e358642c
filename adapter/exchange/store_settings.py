"""`[store]` of adapter.toml: where everything durable is, and the keys that open it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator

from adapter.plugin.errors import ConfigError
from adapter.security.keyring import Keyring, KeyringError
from adapter.security.known_secrets import remember

if TYPE_CHECKING:
    from adapter.exchange.config import Config

_STORES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


def _store_address(value: str) -> str:
    if value.startswith(("env:", "file:")):
        return value
    if not value.startswith(_STORES):
        raise ValueError("expected sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    if _password(value):
        raise ValueError(
            "expected no password here: leave it to ~/.pgpass or PGPASSWORD, or put the whole "
            "address elsewhere and write env:NAME or file:PATH"
        )
    return value


def _password(address: str) -> str | None:
    """The password in a store's address, if one stands there."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    return parts.password or parse_qs(parts.query).get("password", [None])[0]


StoreAddress = Annotated[str, AfterValidator(_store_address)]
"""`[store] url`: an address without a password, or a reference to one."""


def store_keyring(config: Config) -> Keyring:
    """The keys that encrypt what is stored.

    Raises:
        KeyringError: it is missing or no keyring; it names the file and the key `store.key`.
    """
    try:
        return Keyring.load(config.store.key, base=config.folder)
    except KeyringError as error:
        raise KeyringError(
            error.code,
            f"{config.file}: store.key: {error.message}",
            fix=f"{error.fix} Then check with: {config.checked_by}",
            detail=error.detail,
        ) from error


def store_url(config: Config) -> str:
    """The store's URL, a reference resolved, and a relative SQLite file put beside adapter.toml.

    Raises:
        ConfigError: the reference leads nowhere, or to something that is no address of a store.
    """
    url = config.store.url
    if url.startswith(("env:", "file:")):
        url = config.secret(url, "store.url")
        remember(_password(url) or "")
    if not url.startswith(_STORES):
        raise ConfigError(
            "config.store-address",
            f"{config.file}: store.url: what {config.store.url} stands for is no address of a "
            "store; expected sqlite:///FILE or postgresql://USER@HOST/DATABASE",
            fix=f"Correct it, then check with: {config.checked_by}",
        )
    prefix = "sqlite:///"
    if url.startswith(prefix):
        return prefix + str(config.path(url.removeprefix(prefix)))
    return url
