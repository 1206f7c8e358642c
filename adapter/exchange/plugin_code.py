"""Code of a plugin that runs before any system does: for how long it may, and why it could not."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pluggy

from adapter.exchange.unheard import unheard
from adapter.exchange.watch import interrupting
from adapter.plugin.errors import AdapterError, PluginError

LOAD_SECONDS = 30.0


@contextmanager
def in_time() -> Iterator[None]:
    """End what runs inside if it takes too long.

    Raises:
        PluginError: ``plugin.blocks``: it was ended.
    """
    with interrupting(LOAD_SECONDS):
        yield


@contextmanager
def loading(plugin: str) -> Iterator[None]:
    """As `in_time`, and what is printed inside is dropped."""
    with in_time(), unheard(plugin):
        yield


def fault_of(error: BaseException) -> AdapterError:
    """Why a plugin did not load, in words."""
    if isinstance(error, AdapterError):
        return error
    if isinstance(error, pluggy.PluginValidationError):
        code, fix = "plugin.unknown-hook", "The hooks are in docs/reference/hooks.md."
        return PluginError(code, f"PluginValidationError: {error}", fix=fix)
    fix = "Reinstall the plugin, or ask its maker."
    return PluginError("plugin.import-failed", said_of(error), fix=fix)


def said_of(error: BaseException) -> str:
    """The class of an error and where it was raised; what it says only if Python itself says it."""
    said = (
        f"{type(error).__name__}: {error}" if isinstance(error, ImportError | SyntaxError) else ""
    )
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return said or f"{type(error).__name__}{where}"
