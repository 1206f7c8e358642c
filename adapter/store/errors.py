"""What can go wrong with the store, and what a person can do about it.

Codes are words; each fault of either database has one of them (`adapter.store.dialect` sorts them).
Nothing of a value that was being stored is ever in a message.
"""

from __future__ import annotations

from adapter.plugin.errors import AdapterError


class StoreError(AdapterError):
    """The store could not do it: nothing of the work that failed was kept."""


class StoreFault(StoreError):  # noqa: N818 - the fault is the database's, as in SystemFault
    """The database itself cannot (full, broken, locked, down): the same work may be tried later."""


class RaceError(StoreError):
    """Another writer came first. The writer runs the work again before anybody sees this."""


class StaleError(RaceError):
    """The row was changed since it was read: read it again, and decide again."""


class ErasedError(StoreError):
    """The person was erased: the key of this value was destroyed, and nothing can read it."""


class MissingError(StoreError):
    """What was to be changed is not there, or not in a state to be changed so."""


def stale(what: str, key: str) -> StaleError:
    """The version that a caller read is no longer the version that is stored."""
    return StaleError(
        "store.stale",
        f"The {what} {key} was changed meanwhile.",
        fix="Look at it again, and repeat what you wanted to do.",
    )


def missing(what: str, key: str) -> MissingError:
    """A row that was to be changed is not there."""
    return MissingError(
        "store.missing", f"There is no {what} {key}.", fix="Check the id with the list command."
    )
