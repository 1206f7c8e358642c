"""How a command asks the store something, or changes something in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.store.store import Store
    from adapter.store.transaction import Transaction

T = TypeVar("T")


def ask(config: Config, question: Callable[[Transaction], T]) -> T:
    """The answer to one question, read in one transaction; also while the service runs.

    Raises:
        ConfigError: the key is missing or is not the store's. StoreError: the store cannot be read.
    """
    with opened(config) as store:
        return store.read_now(question)


def act(config: Config, work: Callable[[Transaction], T]) -> T:
    """Do something in one transaction; durable when it returns.

    Raises:
        ConfigError, StoreError: as `ask`; nothing was changed.
    """
    with opened(config) as store:
        return store.write_now(work)


@contextmanager
def opened(config: Config, *, upgrade: bool = False) -> Iterator[Store]:
    """The store of a configuration, for a command that does more than one thing with it.

    It must be of this version: a command that only looks changes no table under a service of the
    version before. With `upgrade` it is brought to it.

    Raises:
        ConfigError, StoreError: as `ask`.
    """
    from adapter.exchange.store_settings import store_keyring, store_url
    from adapter.store.store import Store

    keyring = store_keyring(config)
    store = Store.open(store_url(config), keyring, create=False, upgrade=upgrade)
    try:
        yield store
    finally:
        store.close()
