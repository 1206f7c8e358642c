"""How a command asks the store something."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.store.transaction import Transaction

T = TypeVar("T")


def ask(config: Config, question: Callable[[Transaction], T]) -> T:
    """The answer to one question, read in one transaction; also while the service runs.

    Raises:
        ConfigError: the key is missing or is not the store's. StoreError: the store cannot be read.
    """
    from adapter.exchange.config import store_url
    from adapter.security.keyring import Keyring
    from adapter.store.store import Store

    keyring = Keyring.parse(config.secret(config.store.key))
    store = Store.open(store_url(config), keyring, create=False)
    try:
        return store.read_now(question)
    finally:
        store.close()
