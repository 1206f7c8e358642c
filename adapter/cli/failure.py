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
    if isinstance(error, AdapterError):
        lines = [f"Error: {error.message}"]
        if error.fix:
            lines.append(f"  Fix:  {error.fix}")
        lines.append(f"  Code: {error.code}")
    else:
        lines = [
            f"Error: the adapter itself failed ({type(error).__name__}).",
            "  Fix:  Run the command again with ADAPTER_DEBUG=1 and report what it prints,"
            " after removing anything about a person.",
            "  Code: internal.error",
        ]
    print("\n".join(lines), file=sys.stderr)
    return exit_code(error)
