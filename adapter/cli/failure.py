"""How a command fails: a message, what to do about it, a word code, and a documented exit code.

No traceback, unless ADAPTER_DEBUG=1 is set: what a person needs is the fix, and a traceback may
hold what a log must not.
"""

from __future__ import annotations

import os
import sys
import traceback

from adapter.plugin.errors import (
    AdapterError,
    AuthError,
    ConfigError,
    GoneError,
    PluginError,
    TransientError,
)

DONE, NOT_PASSED, WRONG_USE, CONFIGURATION, STORE, UNREACHABLE = range(6)


def is_ours(error: BaseException) -> bool:
    """False for what belongs to the parser: usage errors, exits, and a reader that went away."""
    if isinstance(error, BrokenPipeError | EOFError):
        return False
    return not type(error).__module__.startswith("typer")


def exit_code(error: BaseException) -> int:
    """The documented exit code of an error."""
    from adapter.store.errors import StoreError

    if isinstance(error, OSError) and error.filename is not None:
        return WRONG_USE
    if isinstance(error, ConfigError | PluginError):
        return CONFIGURATION
    if isinstance(error, StoreError):
        return STORE
    if isinstance(error, TransientError | AuthError | GoneError):
        return UNREACHABLE
    return NOT_PASSED


def report(error: BaseException) -> int:
    """Say on stderr what failed; return the exit code."""
    if os.environ.get("ADAPTER_DEBUG") == "1":
        traceback.print_exception(error)
    told = _in_words(error)
    if told is not None:
        lines = [f"Error: {told.message}"]
        if told.fix:
            lines.append(f"  Fix:  {told.fix}")
        lines.append(f"  Code: {told.code}")
    else:
        lines = [
            f"Error: the adapter itself failed ({type(error).__name__}).",
            "  Fix:  Run the command again with ADAPTER_DEBUG=1 and report what it prints,"
            " after removing anything about a person.",
            "  Code: internal.error",
        ]
    print("\n".join(lines), file=sys.stderr)
    return exit_code(error)


def _in_words(error: BaseException) -> AdapterError | None:
    """What a person can act on: an error of ours, or a file that the system does not let us use."""
    if isinstance(error, AdapterError):
        return error
    if isinstance(error, OSError) and error.filename is not None:
        return AdapterError(
            "file.unusable",
            f"{error.filename} cannot be read or written ({error.strerror})",
            fix="Give a path in a folder that exists, and that this user may use.",
        )
    return None
