"""Going through what a plugin yields, held to its time at every step."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import structlog

from adapter.exchange import watch
from adapter.exchange.watch import interrupting, watched
from adapter.plugin.errors import PluginError

PATIENCE = 120.0
"""Seconds for one item."""


async def items(site: str, give: Callable[[], Any], *, method: str) -> AsyncGenerator[Any, None]:
    """Each item that a plugin's method yields; use it within `contextlib.aclosing`.

    Raises:
        PluginError: it yields nothing asynchronously, or blocks. TransientError: one item took too
            long. What else the plugin raises is let through.
    """
    with interrupting(watch.STRETCH_SECONDS):
        found = give()
    if not isinstance(found, AsyncIterator):
        raise wrong_type(site, method, "is no asynchronous iterator")
    try:
        while True:
            item = await watched(_next(found), seconds=PATIENCE)
            if item is _END:
                return
            yield item
    finally:
        await _closed(site, found, method)


def wrong_type(site: str, method: str, what: str) -> PluginError:
    """What a method gives is not what its Protocol says."""
    return PluginError(
        "plugin.wrong-type",
        f"what {method} of the plugin of {site} gives {what}",
        fix="Update the plugin, or ask its maker: `adapter conform` shows it.",
    )


_END = object()


async def _closed(site: str, found: AsyncIterator[Any], method: str) -> None:
    """What was yielded counts, not how it ended."""
    close = getattr(found, "aclose", None)
    if close is None:
        return
    try:
        await watched(close(), seconds=watch.STRETCH_SECONDS)
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything
        structlog.get_logger("sites").warning(
            "plugin.close-failed", site=site, method=method, error=type(error).__name__
        )


async def _next(found: AsyncIterator[Any]) -> Any:
    """The next item, or `_END`."""
    try:
        return await anext(found)
    except StopAsyncIteration:
        return _END
