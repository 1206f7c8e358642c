"""Commands about one thing or many: named by their ids, or all that are stuck at a site.

What is done about ids that are given is one transaction: for all of them, or for none. Of a site
each is a transaction of its own, so that a thousand hold up nobody; and what somebody else dealt
with between the look and the act is passed over, for nobody named it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from adapter.cli.printing import emit, say
from adapter.cli.reading import act, ask, opened
from adapter.plugin.errors import ConfigError, DataError

if TYPE_CHECKING:
    from adapter.exchange.config import Config
    from adapter.store.transaction import Transaction

Shape = dict[str, Any]


def several(
    settings: Config,
    identities: Sequence[str] | None,
    site: str | None,
    stuck: Callable[[Transaction, str], list[str]],
) -> list[str]:
    """The ids that are meant: those given, or those that are `stuck` at the site.

    Raises:
        ConfigError: no such site is configured.
        typer.BadParameter: neither was given, or both were.
    """
    if bool(identities) == (site is not None):
        raise typer.BadParameter("give the ids of the list, or --site NAME for all of a site")
    if site is None:
        return list(dict.fromkeys(identities or ()))
    if site not in settings.sites:
        raise ConfigError(
            "site.unknown",
            f"no site {site} is configured",
            fix="See the names with: adapter sites list",
        )
    return ask(settings, lambda tx: stuck(tx, site))


def act_on_each(
    settings: Config,
    identities: Sequence[str],
    work: Callable[[Transaction, str], Shape],
    *,
    skip: str | None,
) -> list[Shape]:
    """Do something about each, and say what became of it.

    Args:
        skip: how the codes begin of errors that pass one over; without it, it is all or nothing.

    Raises:
        AdapterError: as `work`, for the first that it cannot be done for.
    """
    if skip is None:  # in one order, so that two who do this do not wait for each other
        ordered = sorted(identities)
        return act(settings, lambda tx: [work(tx, each) for each in ordered])
    done = []
    with opened(settings) as store:
        for identity in identities:
            try:
                done.append(store.write_now(partial(_one, work, identity)))
            except DataError as error:
                if not error.code.startswith(skip):
                    raise
    return done


def _one(work: Callable[[Transaction, str], Shape], identity: str, tx: Transaction) -> Shape:
    return work(tx, identity)


def tell_all(done: list[Shape], one: str, many: str, site: str | None, as_json: bool) -> None:
    """Say it: of one that was named in its own words, else how many."""
    alone = site is None and len(done) == 1
    if as_json:
        emit(done[0] if alone else done)
    else:
        say(one if alone else many.format(len(done)))
