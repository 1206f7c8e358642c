"""Holding a plugin to its time, also when it never gives the event loop back.

`asyncio.wait_for` ends a plugin that waits; it cannot end one that computes or sleeps in C, for
then nothing else runs. In the main thread a timer signal can: it raises `Blocked` inside the
plugin's own code. Elsewhere (tests that run a service in a thread) this is no more than wait_for.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Generator, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

from adapter.plugin.errors import AdapterError, PluginError, TransientError
from adapter.security.known_secrets import scrubbed

T = TypeVar("T")
STRETCH_SECONDS = 10.0


class Blocked(BaseException):
    """Raised inside code that kept the event loop for too long; `except Exception` lets it by."""


@contextmanager
def interrupting(seconds: float) -> Iterator[None]:
    """End what runs inside after so many seconds, if this is the main thread.

    Raises:
        PluginError: ``plugin.blocks``: it was ended.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _raise)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except Blocked as error:
        raise PluginError(
            "plugin.blocks",
            f"the plugin held up everything for {seconds:.0f} s and was ended",
            fix="Report it to the plugin's maker: it must await, or use context.offload.",
        ) from error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _raise(number: int, frame: FrameType | None) -> None:
    raise Blocked


class _Watched(Awaitable[T]):
    """An awaitable whose every stretch between two awaits is held to its time."""

    def __init__(self, inner: Awaitable[T], seconds: float) -> None:
        self._inner = inner
        self._seconds = seconds

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._inner.__await__()
        send: Any = None
        fault: BaseException | None = None
        while True:
            try:
                with interrupting(self._seconds):
                    waiting = steps.send(send) if fault is None else steps.throw(fault)
            except StopIteration as done:
                result: T = done.value
                return result
            except SystemExit as error:  # a task that let it through would end the event loop
                raise PluginError("plugin.exits", "the plugin tried to end the process") from error
            send, fault = None, None
            try:
                send = yield waiting
            except BaseException as error:  # noqa: BLE001 - it is handed on to the plugin's code
                fault = error


def stretched(inner: Awaitable[T], stretch: float) -> Awaitable[T]:
    """As `watched`, without an end: what may take long, but must not hold up the loop."""
    return _Watched(inner, stretch)


async def watched(inner: Awaitable[T], *, seconds: float, stretch: float | None = None) -> T:
    """Await a plugin's code, and come back whatever it does.

    Args:
        seconds: how long it may take in all; `stretch`: how long without an await, if not
            `STRETCH_SECONDS`.

    Raises:
        TransientError: ``plugin.too-slow``. PluginError: it blocked, tried to end the process, or
            ended its own task. What else it raises is let through.
    """
    task = asyncio.current_task()
    try:
        async with asyncio.timeout(seconds):
            return await stretched(inner, STRETCH_SECONDS if stretch is None else stretch)
    except AdapterError as error:
        raise scrubbed(error)  # noqa: B904 - the same error, without what must not be repeated
    except TimeoutError as error:
        raise TransientError(
            "plugin.too-slow", f"the plugin did not finish within {seconds:.0f} s"
        ) from error
    except asyncio.CancelledError as error:
        if task is not None and task.cancelling():
            raise
        raise PluginError("plugin.cancels", "the plugin cancelled its own task") from error


def raised(site: str, error: BaseException, where: str) -> PluginError:
    """What a plugin raised that it should not have, without what it says: that may hold a value."""
    return PluginError(
        "plugin.raised",
        f"the plugin of {site} raised {type(error).__name__} in {where}",
        fix="Look at the log, and update the plugin or ask its maker.",
    )
